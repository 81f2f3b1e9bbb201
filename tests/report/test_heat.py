import math

import pytest

from brushnet import images
from brushnet.report.curves_plot import run_figure, sweep_figure
from brushnet.report.figure import write_figure
from brushnet.report.figures import CONTROL, STYLE
from brushnet.report.heat import heat_axes, heat_map, main_axis
from brushnet.report.heat_plot import heat_figure
from brushnet.report.heat_section import heat_section
from brushnet.report.training_plot import smoothed, training_figure
from tests.report import made

AXES = {"layers": ["shallow", "deep"], "stroke": ["fixed", "wide"], "loss.pyramid_levels": ["1", "3"],
        "seed": ["0", "1"]}  # fmt: skip


def measured(layers: str, stroke: str, levels: str, seed: str) -> dict:
    return {"error": {"fixed": 0.9, "wide": 0.3}[stroke] + 0.1 * int(seed), "style": len(layers) / 5}


@pytest.fixture
def sweep():
    return made.sweep(AXES, measured)


def test_scale_range_is_set_against_layer_selection_and_the_rest_averaged(sweep) -> None:
    figures = made.all_figures(sweep)
    assert heat_axes(sweep, figures) == ("stroke", "layers")
    heat = heat_map(sweep, CONTROL, figures, axes=("stroke", "layers"))
    assert [cell.mean for row in heat.cells for cell in row] == pytest.approx([0.95, 0.95, 0.35, 0.35])
    assert heat.cells[0][0].runs == 4
    assert heat.cells[0][0].deviation == pytest.approx(0.1 / math.sqrt(2))
    assert (heat.warmth(heat.ends()[1]), heat.least(heat.ends()[0])) == (1.0, True)
    assert main_axis(sweep, figures) == "stroke"


def test_other_axes_take_their_place_where_these_are_missing() -> None:
    one = made.sweep({"loss.style_weight": ["1", "2"]}, lambda weight: {"error": float(weight)})
    assert heat_axes(one, made.all_figures(one)) == ("", "loss.style_weight")
    two = made.sweep({"layers": ["a", "b"], "loss.pyramid_levels": ["1", "3"]}, lambda *both: {})
    assert heat_axes(two, made.all_figures(two)) == ("loss.pyramid_levels", "layers")


def test_the_table_holds_number_spread_and_what_is_missing(sweep) -> None:
    figures = made.all_figures(sweep)
    figures |= {name: dict.fromkeys(each, math.nan) for name, each in figures.items() if name.startswith("deep-wide")}
    table = heat_section([heat_map(sweep, CONTROL, figures, axes=("loss.pyramid_levels", "layers"))], "heat.png")
    assert "pyramid levels 3" in table
    assert "<small>± 0.07</small>" in table
    table = heat_section([heat_map(sweep, CONTROL, figures, axes=("stroke", "layers"))], "heat.png")
    assert '<td class="empty" title="no finished run">-</td>' in table
    equal = heat_map(sweep, STYLE, {name: {"style": 1.0} for name in figures}, axes=("stroke", "layers"))
    assert "least" not in heat_section([equal], "heat.png")


def test_the_plots_can_be_looked_at(tmp_path, sweep) -> None:
    figures = made.all_figures(sweep)
    curves = {"train/loss": [(step, 3 / step) for step in range(1, 50)], "val/style": [(10, 1.0), (20, 0.9)]}
    runs = [each.__class__(**{**vars(each), "curves": curves}) for each in sweep.runs]
    drawn = {
        "heat": heat_figure([heat_map(sweep, each, figures, axes=("stroke", "layers")) for each in (CONTROL, STYLE)]),
        "curves": sweep_figure(sweep.runs, "stroke"),
        "all": sweep_figure(sweep.runs, None),
        "one": run_figure(sweep.runs[0]),
        "training": training_figure(runs, "stroke"),
        "training one": training_figure(runs[:1], None),
    }
    for name, figure in drawn.items():
        write_figure(figure, tmp_path / f"{name}.png")
        pixels = images.read_uint8(tmp_path / f"{name}.png")
        assert min(pixels.shape[-2:]) > 250
        assert pixels.float().std() > 15
    assert training_figure(sweep.runs, "stroke") is None
    assert [text.get_text() for text in drawn["curves"].legends[0].get_texts()][:2] == ["fixed", "wide"]


def test_smoothing_begins_at_the_first_value() -> None:
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 0.0])[0] == pytest.approx(1.0)
