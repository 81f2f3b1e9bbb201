"""The benchmark of the width meter, and scripts/calibrate_meter.py from the command line to the table."""

import json
import math
from pathlib import Path

import pytest
import torch

from brushnet import images, seeds
from brushnet.measure import calibration, matched_calibration
from brushnet.measure.bank import SteerableTexture
from brushnet.measure.calibration import Row, calibrate_width, known_pictures, summarise
from brushnet.measure.matched_calibration import calibrate_matched
from brushnet.measure.painter import noise_photo, paint
from brushnet.strokes import Painting
from tests.conftest import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("calibrate_meter")


@pytest.fixture
def one_small_picture_each(monkeypatch) -> None:
    monkeypatch.setattr(calibration, "QUICK_WIDTHS_PX", (6.0,))
    monkeypatch.setattr(calibration, "QUICK_SIZES_PX", (80,))


def test_every_kind_is_tried_at_every_width_that_fits_and_on_every_ground() -> None:
    photos = {"a": torch.rand(1, 3, 20, 30), "b": torch.rand(1, 3, 20, 30)}
    pictures = list(known_pictures(photos, quick=False))
    assert len(pictures) == 9 * (len(calibration.WIDTHS_PX) * 3)
    assert {each.ground for each in pictures} == {"noise", "a", "b", "antialiased", "hard"}
    for kind in ("bristle", "pen", "discs"):
        grounds = {each.ground for each in pictures if each.kind == kind}
        assert len(grounds) == (2 if kind == "discs" else 3)


def test_rows_hold_what_was_drawn_and_what_was_measured(one_small_picture_each) -> None:
    seen = []
    pictures = list(known_pictures({"photo": noise_photo(60, 50)}, quick=True))
    rows = calibrate_width(pictures, progress=lambda *done: seen.append(done))
    assert [row.kind for row in rows] == [each.kind for each in pictures]
    assert seen[-1] == (9, 9, "stripes 6 px")
    assert all(row.error == abs(row.measured_px / 6 - 1) for row in rows if not math.isnan(row.measured_px))


def test_summary_worked_out_by_hand() -> None:
    rows = [Row("pen", "noise", 256, 10, width) for width in (10, 11, 12)] + [Row("dab", "noise", 256, 10, math.nan)]
    pen, dab, every = summarise(rows)
    assert (pen.kind, pen.pictures) == ("pen", 3)
    assert pen.median_error == pytest.approx(0.1)
    assert pen.worst_error == pytest.approx(0.2)
    assert pen.within_tolerance == pytest.approx(2 / 3)
    assert (dab.worst_error, dab.within_tolerance) == (math.inf, 0)
    assert (every.kind, every.within_tolerance) == ("all", 0.5)


def test_the_script_prints_a_table_or_json(script, one_small_picture_each, tmp_path: Path, capsys) -> None:
    images.write(noise_photo(64, 80), tmp_path / "photo.png")
    arguments = ["width", "--quick", "--photos", str(tmp_path)]
    assert script.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["strokes", "pictures", "median", "worst", "within", "15", "%"]
    assert lines[-1].split()[:2] == ["all", "9"]
    assert script.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rows"]) == 9
    assert found["summary"][-1]["kind"] == "all"


def test_what_was_not_found_is_null_and_nothing(script) -> None:
    rows = [Row("pen", "noise", 256, 10, math.nan)]
    assert json.loads(script.as_json(rows))["rows"][0]["measured_px"] is None
    assert "nothing" in script.as_table(rows)


def test_a_folder_that_is_not_there_is_refused_in_one_line(script, capsys, tmp_path: Path) -> None:
    assert script.main(["width", "--photos", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("calibrate_meter: error: folder not found: ")


def test_every_kind_of_known_scale_is_measured_and_summed_up(monkeypatch) -> None:
    monkeypatch.setattr(matched_calibration, "PAINTED_PX", 200)  # of 640: each kind is there, none is judged but one
    monkeypatch.setattr(matched_calibration, "PHOTO_PX", 120)
    painted = images.to_uint8(paint(noise_photo(140, 170), stroke_px=9)[0])
    photos = [noise_photo(60, 80, seed=seed) for seed in (1, 2)]
    seen = []
    rows = calibrate_matched(
        {"a": painted}, SteerableTexture(), photos=photos, each=1, progress=lambda *told: seen.append(told)
    )
    assert [told[0] for told in seen] == [1, 2, 3]
    assert {row.kind for row in rows} == set(matched_calibration.KINDS)
    assert all(row.octaves <= math.log2(140 / 256) + 1e-6 for row in rows if row.painting == "a")
    summaries = matched_calibration.summarise(rows)
    assert [summary.kind for summary in summaries] == list(matched_calibration.KINDS)
    assert summaries[0].worst_error < 0.15
    assert summaries[0].within_015 == 1


def test_the_same_seed_draws_the_same_pictures_and_another_one_others() -> None:
    painting = Painting(images.to_uint8(noise_photo(140, 170)[0]), name="a", reference_px=256)

    def drawn(seed: int) -> list[float]:
        pictures = matched_calibration._rescaled(painting, 2, seeds.rng(seed, "calibration", 1))
        return [octaves for _, octaves, _ in pictures]

    assert drawn(0) == drawn(0) != drawn(1)


def test_nothing_found_counts_as_infinitely_off() -> None:
    rows = [matched_calibration.Row("whole", "a", 0.5, measured, measured == 0.5) for measured in (0.5, 0.6, math.nan)]
    (summary,) = matched_calibration.summarise(rows)
    assert (summary.pictures, summary.within_015, summary.worst_error) == (3, pytest.approx(2 / 3), math.inf)
    assert summary.median_error == pytest.approx(0.1)
    assert summary.inside_confidence == pytest.approx(1 / 3)


def test_the_script_tells_the_matched_scale_as_a_table_and_as_json(script, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(matched_calibration, "STROKES_PX", ())
    images.write(paint(noise_photo(140, 170), stroke_px=9), tmp_path / "a.png")
    assert script.main(["matched", "--paintings", str(tmp_path), "--each", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["whole", "part", "changed part"]
    assert script.main(["matched", "--paintings", str(tmp_path), "--each", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rows"]) == len(found["summary"]) == 3
    assert script.main(["matched", "--encoder", "alexnet"]) == 2
    assert "calibrate_meter: error: --encoder alexnet: no such file" in capsys.readouterr().err
