import math
from dataclasses import replace
from pathlib import Path

from brushnet.report import sheet_section
from brushnet.report.pictures import Pictures
from brushnet.report.runs import Sweep
from brushnet.report.sheet_section import sheet_data
from tests.report import made
from tests.report.conftest import write_picture


def sweep_of(folder: Path) -> Sweep:
    """Two runs whose pictures are there but for one."""
    runs = []
    for name in ("a", "b"):
        run = made.run(name, {"stroke": name}, photos=("cat", "boat"))
        assert run.evaluation is not None
        rows = [replace(row, picture=f"{row.photo}_s{row.stroke:.2f}.jpg") for row in run.evaluation.rows]
        place = folder / name
        place.mkdir()
        for number, row in enumerate(rows[1:]):
            write_picture(place / row.picture, number)
        rows[2] = replace(rows[2], octaves=math.nan, seen=False)
        runs.append(replace(run, evaluation=replace(run.evaluation, folder=place, rows=tuple(rows))))
    return Sweep(folder=folder, runs=runs, axes={"stroke": ["a", "b"]})


def test_each_picture_has_its_place_and_what_was_measured_in_it(tmp_path: Path) -> None:
    found = sheet_data(sweep_of(tmp_path), Pictures(tmp_path / "report"))
    assert found["scales"] == ["0.50", "1.00", "2.00"]
    cells = found["runs"][0]["cells"]
    assert "0.50" not in cells["cat"]  # missing
    assert cells["cat"]["1.00"] == ["pictures/a/cat_s1.00.jpg", "s = 1, measured 1.41, style loss 1.00"]
    assert cells["cat"]["2.00"][1] == "s = 2, strokes not measurable, style loss 1.00, outside the trained range"


def test_of_very_many_runs_fewer_photos_are_shown(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sheet_section, "MOST_PICTURES", 6)
    found = sheet_data(sweep_of(tmp_path), Pictures(tmp_path / "report"))
    assert [set(run["cells"]) for run in found["runs"]] == [{"cat"}, {"cat"}]
