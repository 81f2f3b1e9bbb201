from dataclasses import replace
from pathlib import Path

from brushnet.report.figures import CONTROL, STYLE, shown
from brushnet.report.run_words import run_points
from brushnet.report.runs import Run, Sweep
from brushnet.report.words import count_points, sweep_points, variance_sentence, verdict
from tests.report import made

AXES = {"stroke": ["fixed", "wide"], "loss.pyramid_levels": ["1", "3"], "seed": ["0", "1"]}


def points_of(sweep: Sweep) -> dict[str, str]:
    return {point.about: " ".join([point.text, *point.more]) for point in sweep_points(sweep, made.all_figures(sweep))}


def measured(stroke: str, levels: str, seed: str) -> dict:
    return {
        "error": {"fixed": 0.9, "wide": 0.3}[stroke] + 0.02 * int(seed),
        "style": 1.0 + 0.2 * int(seed) + 0.01 * int(levels),
        "content": 0.5 if stroke == "fixed" else 0.8,
    }


def test_a_sweep_says_what_is_best_by_how_much_and_whether_that_is_chance() -> None:
    said = points_of(made.sweep(AXES, measured))
    assert "wide has the least control error, 0.31 octave; next is fixed with 0.91 octave" in said["stroke"]
    assert "The difference of 0.60 octave is 42.4 times the spread over seeds (0.01 octave)." in said["stroke"]
    pyramid = said["loss.pyramid_levels"]
    assert "pyramid levels 1 has the least style loss, 1.11; next is pyramid levels 3 with 1.13" in pyramid
    assert "The difference of 0.02 is within the spread over seeds (0.14)." in pyramid


def test_the_sentences_follow_the_figures() -> None:
    """No canned text: with the figures turned round it says the opposite."""
    turned = made.sweep(AXES, lambda stroke, *rest: measured({"fixed": "wide", "wide": "fixed"}[stroke], *rest))
    said = points_of(turned)
    assert "fixed has the least control error, 0.31 octave; next is wide with 0.91 octave" in said["stroke"]


def test_nothing_is_said_of_axes_that_are_not_there() -> None:
    said = points_of(
        made.sweep({"stroke": ["fixed", "wide"], "seed": ["0", "1"]}, lambda *two: measured(two[0], "1", two[1]))
    )
    assert set(said) == {"best", "stroke", "what matters"}
    assert "pyramid" not in " ".join(said.values())
    assert set(points_of(made.sweep({"seed": ["0", "1"]}, lambda seed: measured("wide", "1", seed)))) == {"best"}


def test_variance_is_shared_out_among_the_axes() -> None:
    sweep = made.sweep(AXES, measured)
    text = variance_sentence(sweep, made.all_figures(sweep))
    assert text.startswith("Of the variance in control error, stroke explains 100%; ")
    assert "Of the variance in style loss, seed explains 99%; loss.pyramid_levels and stroke less than 5% each" in text


def test_a_difference_is_called_what_it_is() -> None:
    nan = float("nan")
    assert verdict(0.3, 0.1, STYLE) == "The difference of 0.30 is 3.0 times the spread over seeds (0.10)."
    assert verdict(0.1, 0.1, STYLE) == "The difference of 0.10 is within the spread over seeds (0.10)."
    assert verdict(0.1, 0.0, STYLE) == "The difference of 0.10 is more than the spread over seeds (0.00)."
    assert "may be chance: no configuration was trained with two seeds" in verdict(0.1, nan, STYLE)
    assert shown(0.001, CONTROL) == "0.001 octave"
    assert shown(nan, CONTROL) == "not measured"


def test_it_says_how_many_failed_and_why() -> None:
    failed = [Run(name=name, folder=Path(name), state="failed", cause="out of memory") for name in "abcdef"]
    unmeasured = Run(name="g", folder=Path("g"), cause="cannot be evaluated: no painting")
    counts, left_out = count_points([made.run("x"), *failed, unmeasured])
    assert counts.text == "8 runs: 6 failed, 2 finished."
    assert "a, b, c, d and 2 more: failed (out of memory)." in left_out.text
    assert "g: not measured (cannot be evaluated: no painting)." in left_out.text


def run_said(**measured) -> dict[str, str]:
    return {point.about: point.text for point in run_points(made.run("one", **measured))}


def test_one_run_says_what_its_control_curve_does() -> None:
    ends = {"slope": 0.6, "usable_from_octaves": -1.0, "usable_to_octaves": 0.0}
    said = run_said(error=-0.5, summary=ends)
    assert "one octave more makes measured strokes 0.60 octave larger, less than they should" in said["control"]
    assert (
        "They are 0.50 octave off in the mean. From s = 0.5 to 1 they are within a quarter of an octave."
        in said["control"]
    )
    assert said["where it is off"].startswith("Furthest at s = 0.5, where strokes are 0.50 octave too small")
    assert "larger, as they should" in run_said(summary={"slope": 1.1})["control"]
    assert "0.28 octave smaller, the wrong way" in run_said(summary={"slope": -0.28})["control"]
    assert "larger, more than they should" in run_said(summary={"slope": 1.3})["control"]
    alone = {"slope": 1.0, "usable_from_octaves": 1.0, "usable_to_octaves": 1.0}
    assert "Within a quarter of an octave they are at s = 2 alone." in run_said(summary=alone)["control"]
    assert "At no test scale" in run_said()["control"]


def test_a_run_that_is_not_told_s_is_no_failure_of_control() -> None:
    said = run_said(mode="fixed", trained=(1.0, 1.0))["control"]
    assert said.startswith("It was trained for s = 1 and is not told the stroke scale: it paints with one brush")


def test_pictures_without_strokes_are_said() -> None:
    one = made.run("one", error=float("nan"), style=float("nan"))
    said = {point.about: point.text for point in run_points(replace(one, steps=400, device="cpu"))}
    assert said["control"] == "No stroke could be measured in its pictures."
    assert said["where it is off"] == "Nothing could be measured."
    assert said["training"] == "60 s, 400 steps, on cpu."
    assert "style and photo" not in said
