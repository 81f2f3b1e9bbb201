import logging
import math
import re

import pytest
import torch
from torch.nn import functional as F

import brushnet
from brushnet import images, samples, seeds
from brushnet.nets import ResidualTransformer
from brushnet.strokes import Painting
from brushnet.training.collapse import CollapseWatch
from tests.conftest import strokes_picture

STYLE = torch.zeros(4, dtype=torch.long)


@pytest.fixture
def photos():
    """Four different ones."""
    coarse = torch.from_numpy(seeds.rng(3, "test photo", 0).random((4, 3, 5, 5))).float()
    return F.interpolate(coarse, size=(64, 64), mode="bilinear")


@pytest.fixture
def watch(small_painting):
    return CollapseWatch([small_painting], learning_rate=0.003)


def said(watch, painted, photos, caplog, *, style=STYLE, level=logging.WARNING):
    caplog.clear()
    with caplog.at_level(level):
        watch.see(painted, photos, style, scale=0.5)
        watch.judge(step=40)
    return [record.getMessage() for record in caplog.records]


def test_one_flat_colour_is_told_once_until_it_is_over(watch, photos, caplog):
    flat = torch.full_like(photos, 0.4) + 0.01 * photos
    found = said(watch, flat, photos, caplog)
    figures = r"the paintings are one flat colour: contrast 0\.00\d+, below 0\.02 \(s = 0\.5, diagonal\)"
    remedies = (
        r"it rarely mends itself; usual remedies: go on from a checkpoint of before \(brushnet train resume=FILE "
        r"trainer\.learning_rate=0\.001 --fork, .*, a lower loss\.style_weight or loss\.tv_weight, trainer\.precision"
    )
    assert re.match(f"collapse at step 40: {figures}; .*{remedies}", found[0])
    assert said(watch, flat, photos, caplog) == []
    assert "step 40: the paintings are no longer flat" in said(watch, photos, photos, caplog, level=logging.INFO)
    assert said(watch, flat, photos, caplog) == found


def test_saturated_values_are_told(watch, photos, caplog):
    (found,) = said(watch, (photos > 0.5).float(), photos, caplog)
    assert "the paintings are saturated: 100% of their values are 0 or 1, above 50% (s = 0.5, diagonal); it" in found


def test_the_same_painting_for_all_photos_is_told(watch, photos, caplog):
    (found,) = said(watch, photos[:1].expand(4, -1, -1, -1) + 1e-3 * photos, photos, caplog)
    assert re.search(
        r"the paintings of all photos are the same: they differ by 0\.000\d+, below 0\.01 \(s = 0\.5", found
    )


def test_most_of_the_photos_decide(watch, photos, caplog):
    flat = torch.full_like(photos, 0.4)
    assert said(watch, torch.cat([photos[:3], flat[3:]]), photos, caplog) == []


def test_photos_that_are_flat_or_the_same_themselves_are_no_evidence(watch, photos, caplog):
    fog = torch.full_like(photos, 0.8)
    assert said(watch, fog, fog, caplog) == []
    same = photos[:1].expand(4, -1, -1, -1)
    assert said(watch, same, same, caplog) == []


def test_of_a_pale_painting_and_of_a_drawing_other_things_are_expected(photos, caplog):
    pale = Painting((strokes_picture().float() / 10 + 120).to(torch.uint8), name="fog", reference_px=64)
    drawing = Painting((strokes_picture() > 100).to(torch.uint8) * 255, name="ink", reference_px=96)
    watch = CollapseWatch([pale, drawing], learning_rate=0.003)
    assert said(watch, 0.5 + 0.05 * photos, photos, caplog) == []
    some_grey = torch.where((photos - 0.5).abs() < 0.06, photos, (photos > 0.5).float())
    assert said(watch, some_grey, photos, caplog, style=STYLE + 1) == []
    assert "saturated: " in said(watch, some_grey, photos, caplog, style=STYLE)[0]


def test_the_style_that_collapsed_is_named(small_painting, photos, caplog):
    other = Painting(strokes_picture(), name="other", reference_px=64)
    watch = CollapseWatch([small_painting, other], learning_rate=0.003)
    painted = torch.cat([photos[:2], torch.full_like(photos[2:], 0.4)])
    (found,) = said(watch, painted, photos, caplog, style=torch.tensor([0, 0, 1, 1]))
    assert "one flat colour" in found
    assert "(s = 0.5, other)" in found
    assert "diagonal" not in found


@pytest.fixture(scope="module")
def real_photos():
    paths = [samples.resolve(f"sample:{name}") for name in ("cat", "astronaut", "coffee")]
    return torch.cat([images.resize(images.read(path), 96, 96).clamp(0, 1) for path in paths])


@pytest.mark.parametrize("name", ["starry-night", "the-scream"])
def test_the_embedded_models_are_not_suspected(name, real_photos, caplog):
    model = brushnet.load(name)
    painting = Painting.open(samples.resolve("sample:painted-small"), reference_px=256)
    watch = CollapseWatch([painting], learning_rate=0.003)
    with torch.no_grad():
        for scale in (0.35, 1.0, 2.8):
            watch.see(model(real_photos, stroke=scale), real_photos, STYLE[:3], scale=scale)
    watch.judge(step=1)
    assert len(watch.contrast) == 1
    assert caplog.text == ""


def test_untrained_networks_are_not_suspected(watch, real_photos, caplog):
    for seed in range(3):
        with seeds.torch_seeded(seed, "net"), torch.no_grad():
            net = ResidualTransformer(width=8, blocks=2, stroke_embedding=8, styles=1, trunk="scaled")
            painted = net(real_photos, torch.full((1, 1, 1, 1), math.log2(0.5)), torch.ones(1, 1))
        assert said(watch, painted, real_photos, caplog, style=STYLE[:3]) == []


TOO_FAST = ["trainer.learning_rate=1", "trainer.warmup_steps=0", "trainer.gradient_clip=0"]


def test_a_training_that_collapses_says_so_once(train, caplog):
    train(*TOO_FAST, "trainer.max_steps=24", "trainer.validate_every_steps=8")
    assert len(re.findall("collapse at step .* the paintings are saturated", caplog.text)) == 1
    assert len(re.findall("collapse at step .* the paintings are one flat colour", caplog.text)) <= 1


def test_a_training_that_only_smooths_collapses_to_one_colour(train, caplog):
    train(
        "loss.tv_weight=1000", "trainer.max_steps=20", "trainer.validate_every_steps=20", "trainer.learning_rate=0.02"
    )
    assert re.search("the paintings are one flat colour: contrast 0.*, below 0.02", caplog.text)
    assert "saturated" not in caplog.text


def test_a_training_that_goes_well_does_not_say_so(train, caplog):
    train("trainer.validate_every_steps=3")
    assert "collapse" not in caplog.text
