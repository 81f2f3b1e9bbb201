import math

import pytest
import torch

from brushnet.evaluation.judge import Judge
from brushnet.losses import LossSpec
from brushnet.lossnet import load_lossnet
from brushnet.measure.meters import open_meters
from brushnet.strokes import Painting


@pytest.fixture
def judge(place, strokes_pixels, spec: LossSpec) -> Judge:
    painting = Painting(strokes_pixels, name="painting", reference_px=100)
    return Judge(painting, meters=open_meters(["compact"], painting), lossnet=load_lossnet("tiny.pth"), spec=spec)


def test_the_painting_itself_has_no_style_loss_at_its_own_scale_and_some_at_others(judge: Judge) -> None:
    picture = judge.painting.render(1.5)
    own, other = judge(picture, None, 1.5), judge(picture, None, 0.75)
    assert own["style_loss"] == pytest.approx(0, abs=1e-9)
    assert other["style_loss"] > 0.01
    assert own["matched_octaves/compact"] == other["matched_octaves/compact"] == pytest.approx(math.log2(1.5), abs=0.1)
    assert own["palette_distance"] < 0.02


def test_the_photo_itself_has_no_content_distance(judge: Judge) -> None:
    photo = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(1))
    figures = judge(photo, photo, 1.0)
    assert figures["content_distance"] == 0
    assert figures["ssim"] == pytest.approx(1, abs=1e-4)
    assert figures["palette_distance"] > 0.05


def test_what_needs_the_photo_is_not_a_number_without_it(judge: Judge) -> None:
    figures = judge(judge.painting.render(1.0), None, 1.0)
    assert [name for name, value in figures.items() if math.isnan(value)] == ["content_distance", "ssim"]


def test_weights_of_a_training_do_not_change_the_figures(judge: Judge, spec: LossSpec) -> None:
    assert judge.spec.style_weight == judge.spec.content_weight == 1
    assert spec.style_weight == 7
