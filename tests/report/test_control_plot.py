import math
from pathlib import Path

import pytest

from brushnet import images
from brushnet.measure.control import Row
from brushnet.measure.control_summary import Point
from brushnet.report.control_plot import control_figure, curves_of
from brushnet.report.figure import BLUE, ORANGE, write_figure


def rows(system: str, size_px: int | None = None, *, slope: float = 1.0) -> list[Row]:
    return [
        Row(photo=photo, stroke=2.0**octaves, figures={"matched_octaves/e": slope * octaves + shift}, system=system,
            size_px=size_px, seen=abs(octaves) < 2)
        for photo, shift in [("a", -0.1), ("b", 0.1)]
        for octaves in (-2, -1, 0, 1, 2)
    ]  # fmt: skip


def test_there_is_a_curve_for_each_system_and_for_each_of_its_sizes() -> None:
    found = curves_of([*rows("model", 512), *rows("model", 1024), *rows("other")], encoder="e")
    assert list(found) == ["model, 512 px", "model, 1024 px", "other"]
    assert found["other"][0] == pytest.approx((-2, -2, 0.2 / math.sqrt(2), False))


def test_a_system_of_which_nothing_could_be_measured_has_no_curve() -> None:
    blank = [Row(photo="a", stroke=1.0, figures={"matched_octaves/e": math.nan}, system="blank")]
    assert list(curves_of([*rows("model"), *blank], encoder="e")) == ["model"]


def test_the_plot_shows_diagonal_bands_trained_range_and_hollow_markers() -> None:
    curves = {"model": curves_of(rows("model"), encoder="e")["model"]}
    figure = control_figure({"e": curves, "f": curves}, trained=(0.5, 2.0))
    left, right = figure.axes
    assert left.get_xlim() == left.get_ylim() == right.get_xlim()
    assert (left.get_title(), right.get_title()) == ("measured by e", "measured by f")
    diagonal = left.lines[0]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == list(left.get_xlim())
    shaded = left.patches[0].get_extents().transformed(left.transData.inverted())
    assert (shaded.x0, shaded.x1) == pytest.approx((-1, 1))
    assert len(left.collections) == 1  # the band
    faces = [line.get_markerfacecolor() for line in left.lines if line.get_marker() == "o"]
    assert faces == ["white", BLUE, BLUE, BLUE, "white"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "model", "± one s.d. over photos", "trained", "not seen", "as requested",
    ]  # fmt: skip


def test_what_is_not_there_is_not_in_the_legend() -> None:
    figure = control_figure({"e": {"model": [Point(0, 0.1, 0, True), Point(1, 0.9, 0, True)]}})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["model", "as requested"]


def test_a_range_of_one_scale_is_a_line_and_an_empty_plot_is_none_the_less_one() -> None:
    figure = control_figure({"e": {}}, trained=(1.0, 1.0))
    assert not figure.axes[0].patches
    assert any(list(line.get_xdata()) == [0, 0] for line in figure.axes[0].lines)


def test_the_written_plot_holds_the_curves_in_their_colours(tmp_path: Path) -> None:
    found = curves_of([*rows("model"), *rows("other", slope=0.5)], encoder="e")
    write_figure(control_figure({"e": found}, trained=(0.5, 2.0)), tmp_path / "control.png")
    pixels = images.read_uint8(tmp_path / "control.png")
    assert min(pixels.shape[-2:]) > 700
    for colour in (BLUE, ORANGE):
        wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        matches = [(pixels[channel] == value) for channel, value in enumerate(wanted)]
        assert (matches[0] & matches[1] & matches[2]).sum() > 200
