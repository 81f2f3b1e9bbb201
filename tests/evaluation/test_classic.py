import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from brushnet import images
from brushnet.evaluation import classic
from brushnet.evaluation.classic import Scene, folder_name, judge_classics
from brushnet.evaluation.judge import Judge
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork
from brushnet.measure.meters import open_meters
from brushnet.report.evaluation_file import read_evaluation
from brushnet.strokes import Painting


@pytest.fixture
def scene(strokes_pixels, tiny_lossnet: LossNetwork, spec: LossSpec, monkeypatch) -> Scene:
    monkeypatch.setattr(classic, "ITERATIONS", {"moments": 2, "pyramid": 2, "features": 2})
    painting = Painting(strokes_pixels, name="strokes", reference_px=100)
    judge = Judge(painting, meters=open_meters(["steerable"], painting), lossnet=tiny_lossnet, spec=spec)
    photo = torch.linspace(0, 1, 64 * 80).view(1, 1, 64, 80).repeat(1, 3, 1, 1)
    return Scene(photo, "ramp", painting, replace(spec, style_weight=0.3), judge)


def test_each_method_is_judged_at_each_scale_and_read_as_a_run_is(scene: Scene, tmp_path: Path) -> None:
    shown = []
    judge_classics(scene, tmp_path / "out", progress=lambda *what: shown.append(what))
    found = read_evaluation(tmp_path / "out")
    assert [(row.system, row.stroke) for row in found.rows] == [
        (method, scale) for method in ("moments", "pyramid", "features") for scale in (0.5, 1.0, 2.0)
    ]
    assert (found.stroke_mode, found.painting, found.photos) == ("classic", "strokes", ("ramp",))
    for row in found.rows:
        assert row.picture is not None
        assert images.size(tmp_path / "out" / row.picture) == (64, 80)
        assert all(math.isfinite(value) for value in (row.style_loss, row.content_distance, row.seconds))
    assert len({row.picture for row in found.rows if row.system == "moments"}) == 1  # it knows no scale
    assert shown[0] == (0, 9, "moments")
    assert shown[-1] == (9, 9, "")


def test_the_figures_are_the_judges_own(scene: Scene, tmp_path: Path) -> None:
    judge_classics(scene, tmp_path)
    row = json.loads((tmp_path / "evaluation.json").read_text())["rows"][-1]
    picture = images.read(tmp_path / row["picture"])
    assert row["style_loss"] == pytest.approx(scene.judge(picture, scene.photo, 2.0)["style_loss"], rel=0.2)  # JPEG


def test_the_folder_tells_what_was_painted(tmp_path: Path) -> None:
    painting, photo, other = tmp_path / "a painting.jpg", tmp_path / "photo.jpg", tmp_path / "other.jpg"
    for number, file in enumerate((painting, photo, other)):
        file.write_bytes(bytes([number]))
    name = folder_name(painting, photo, reference_px=256)
    assert name.startswith("a_painting-")
    assert name == folder_name(painting, photo, reference_px=256)
    assert name != folder_name(painting, other, reference_px=256)
    assert name != folder_name(painting, photo, reference_px=128)
