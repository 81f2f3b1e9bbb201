import csv
import io

from brushnet import images
from brushnet.measure.layer_table import ALL_LEVELS, LOSS, Row
from brushnet.report.figure import write_figure
from brushnet.report.probe_plot import Panel, probe_figure
from brushnet.report.probe_table import probe_csv, probe_json, probe_lines


def panel(unit: str = "px", *, levels: tuple[str, ...] = ("0", ALL_LEVELS)) -> Panel:
    nan = float("nan")
    rows = [
        Row(name, level, field, width, 2 * width, d_prime, 0.4, 0.2, 2.0, share, share)
        for level in levels
        for width, d_prime in ((2.0, 9.0), (4.0, 1.2), (8.0, -0.3))
        for name, field, share in (("relu1_1", 3, 0.25), ("relu2_1", 10, 0.75), (LOSS, 10, nan))
    ]
    return Panel("made up", rows, unit)


def test_the_heat_map_can_be_looked_at(tmp_path) -> None:
    for name, panels in {"one": [panel()], "two": [panel(), panel()], "scales": [panel("s", levels=("0",))]}.items():
        write_figure(probe_figure(panels), tmp_path / f"{name}.png")
        pixels = images.read_uint8(tmp_path / f"{name}.png")
        assert min(pixels.shape[-2:]) > 300
        assert pixels.float().std() > 30


def test_the_tables_hold_every_row_and_no_nan() -> None:
    told = probe_json([panel()], {"draws": 8})
    assert told["draws"] == 8
    rows = told["networks"][0]["rows"]
    assert len(rows) == len(panel().rows)
    assert rows[2]["energy_share"] is None
    lines = list(csv.DictReader(io.StringIO(probe_csv([panel(), panel()]))))
    assert len(lines) == 2 * len(rows)
    assert (lines[0]["lossnet"], lines[0]["d_prime"], lines[2]["loss_share"]) == ("made up", "9.0", "")


def test_a_terminal_is_shown_layers_and_widths() -> None:
    heading, first, *_ = probe_lines(panel(), "0")
    assert heading.split() == ["2.83", "5.66", "11.3", "px"]
    assert first.split() == ["relu1_1", "9.0", "1.2", "-0.3"]
