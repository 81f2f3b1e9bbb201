"""What trained runs are compared by: pictures, figures and the file that holds them."""

import json
import math

import pytest
import torch

from brushnet import images, models
from brushnet.evaluation import after_training
from brushnet.evaluation.after_training import fitting, judge_run, scales_for, told
from brushnet.evaluation.judge import Judge
from brushnet.lossnet import LossNetwork
from brushnet.measure.meters import open_meters
from brushnet.strokes import Painting
from tests.conftest import vgg_state
from tests.evaluation.conftest import REFERENCE_PX


@pytest.fixture
def painting(strokes_pixels):
    return Painting(strokes_pixels, name="painting", reference_px=REFERENCE_PX)


@pytest.fixture
def run(place, painting, spec, tmp_path):
    lossnet = LossNetwork(vgg_state(), name="tiny")
    judge = Judge(painting, meters=open_meters(["steerable"], painting), lossnet=lossnet, spec=spec)
    photos = [(key, images.read(place / "photos" / file)) for key, file in (("shard/a.b", "a.png"), ("new/a", "b.png"))]

    def begin(path, **options):
        model = models.load(path)
        return judge_run(model, photos, painting, style=0, judge=judge, lossnet="tiny", out=tmp_path / "out", **options)

    return begin


def test_every_photo_is_painted_and_measured_at_every_scale(run, save_model, painting, tmp_path):
    shown = []
    found = run(save_model(), progress=lambda done, total: shown.append((done, total)))
    scales = scales_for(painting)
    assert [(row["photo"], row["stroke"]) for row in found["rows"]] == [
        (photo, scale) for photo in ("a", "a-2") for scale in scales
    ]
    assert shown == [(number, 2 * len(scales)) for number in range(1, 2 * len(scales) + 1)]
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == found
    pictures = {row["picture"] for row in found["rows"]}
    assert all(images.read(tmp_path / "out" / name).shape[-2:] == (64, 80) for name in pictures)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"a.jpg", "a-2.jpg", "painting_s1.00.jpg", "sheet.jpg", "control.png"} <= written
    assert [row["seen"] for row in found["rows"][: len(scales)]] == [0.5 <= scale <= 2 for scale in scales]


def test_a_request_beyond_the_trained_range_is_its_end(run, save_model):
    found = run(save_model(low=0.7, high=1.0))
    by_scale = {row["stroke"]: row["picture"] for row in found["rows"] if row["photo"] == "a"}
    assert by_scale[0.5] == "a_s0.70.jpg"
    assert by_scale[2.0] == by_scale[1.0] == "a_s1.00.jpg"


def test_a_model_that_is_not_told_is_measured_with_its_one_picture(run, save_model):
    found = run(save_model(mode="fixed", low=2.0, high=2.0))
    assert {row["picture"] for row in found["rows"]} == {"a_s2.00.jpg", "a-2_s2.00.jpg"}
    assert {row["stroke"] for row in found["rows"] if row["seen"]} == {2.0}
    assert found["summary"]["slope"] == pytest.approx(0, abs=1e-9)
    assert found["summary"]["seen_style_loss"] == pytest.approx(
        sum(row["style_loss"] for row in found["rows"] if row["stroke"] == 2.0) / 2
    )


def test_style_loss_is_against_the_painting_at_the_scale_that_was_asked_for(run, save_model):
    rows = run(save_model(mode="fixed", low=1.0, high=1.0))["rows"]
    assert len({row["style_loss"] for row in rows if row["photo"] == "a"}) == len({row["stroke"] for row in rows})


def test_what_cannot_be_measured_is_null_and_told_to_no_logger(run, save_model, tmp_path):
    found = run(save_model())
    assert found["summary"]["unseen_error_octaves"] is not None
    found["summary"]["slope"] = None
    for row in found["rows"]:
        if row["stroke"] == 2.0:
            row["style_loss"] = None
    evaluated = told(found, tmp_path)
    assert "slope" not in evaluated.figures
    assert "style_loss_s2.00" not in evaluated.figures
    assert all(math.isfinite(value) for value in evaluated.figures.values())
    assert evaluated.figures["style_loss_s1.00"] == pytest.approx(
        sum(row["style_loss"] for row in found["rows"] if row["stroke"] == 1.0) / 2
    )
    assert evaluated.rows == found["rows"]


def test_scales_are_those_at_which_the_painting_is_more_than_a_blur():
    assert scales_for(Painting(torch.zeros(3, 40, 50), name="small", reference_px=256)) == [0.35, 0.5]
    assert scales_for(Painting(torch.zeros(3, 800, 900), name="large", reference_px=32)) == [1.0, 1.41, 2.0, 2.8]
    assert scales_for(Painting(torch.zeros(3, 8, 9), name="tiny", reference_px=1024)) == [1.0]
    assert set(after_training.SCALES) >= {0.5, 1.0, 2.0}


def test_a_scale_at_the_end_of_the_range_is_itself(save_model, place):
    model = models.load(save_model(low=0.35, high=2.8))
    low, high = model.stroke_range
    assert [fitting(model, scale) for scale in (0.1, 0.35, 2.8, 5.0)] == [low, 0.35, 2.8, high]


def test_photos_have_names_of_their_own_whatever_they_are_called():
    names = ["a/sheet.jpg", "painting_s1.00.png", "x", "x-2", "b/x", "...", "ü ö"]
    found = [name for name, _ in after_training._named([(name, torch.zeros(1)) for name in names])]
    assert found == ["photo-sheet", "photo-painting_s1.00", "x", "x-2", "x-3", "photo", "ü_ö"]
