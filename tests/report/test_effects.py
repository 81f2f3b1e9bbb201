import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brushnet.report.effects import levels, most_effect, seed_spread, shares
from brushnet.report.figures import CONTROL, STYLE
from tests.report import made

AXES = {"stroke": ["fixed", "wide"], "layers": ["shallow", "deep", "all"], "seed": ["0", "1"]}
numbers = st.floats(-3, 3).map(lambda value: round(value, 3))


@given(st.lists(numbers, min_size=12, max_size=12))
def test_main_effects_and_what_is_left_are_the_whole_variance(errors: list[float]) -> None:
    values = iter(errors)
    found = made.sweep(AXES, lambda *chosen: {"style": next(values)})
    explained = shares(found.runs, AXES, STYLE, made.all_figures(found))
    if any(math.isnan(share) for share in explained.values()):
        assert max(errors) - min(errors) < 1e-5
    else:
        assert all(share >= -1e-9 for share in explained.values())
        assert sum(explained.values()) <= 1 + 1e-9  # of a full grid the main effects are orthogonal


def test_an_axis_that_alone_decides_explains_everything() -> None:
    found = made.sweep(AXES, lambda stroke, layers, seed: {"error": {"fixed": 0.9, "wide": 0.3}[stroke]})
    figures = made.all_figures(found)
    assert shares(found.runs, AXES, CONTROL, figures) == pytest.approx({"stroke": 1, "layers": 0, "seed": 0})
    assert most_effect(found.runs, list(AXES), CONTROL, figures) == "stroke"
    assert most_effect(found.runs, [], CONTROL, figures) is None


def test_levels_are_means_over_the_other_axes_best_first() -> None:
    found = made.sweep(AXES, lambda stroke, layers, seed: {"error": 0.1 * len(layers) + (stroke == "fixed")})
    ranking = levels(found.runs, "layers", CONTROL, made.all_figures(found))
    assert [(level.value, level.runs) for level in ranking] == [("all", 4), ("deep", 4), ("shallow", 4)]
    assert ranking[0].mean == pytest.approx(0.8)


def test_the_spread_is_that_of_seeds_alone() -> None:
    found = made.sweep(AXES, lambda stroke, layers, seed: {"style": 5 * len(layers) + 0.2 * int(seed)})
    figures = made.all_figures(found)
    assert seed_spread(found.runs, STYLE, figures) == pytest.approx(0.2 / math.sqrt(2))
    once = [run for run in found.runs if run.values["seed"] == "0"]
    assert math.isnan(seed_spread(once, STYLE, figures))


def test_a_configuration_with_a_failed_seed_counts_as_much_as_the_others() -> None:
    found = made.sweep(AXES, lambda stroke, layers, seed: {"error": {"fixed": 1.0, "wide": 0.5}[stroke]})
    kept = [run for run in found.runs if run.name != "fixed-deep-1"]
    ranking = {level.value: level.mean for level in levels(kept, "layers", CONTROL, made.all_figures(found))}
    assert ranking["deep"] == pytest.approx(0.75)
