"""Claim d: its verdict from made-up figures, and what it measures and optimises for."""

import pytest
import torch

from brushnet.baselines.features import style_targets
from brushnet.losses import LossSpec, Statistics, style_distance
from brushnet.probing.claim import CONTRADICTED, DEPENDS, SUPPORTED
from brushnet.probing.claim_detail import SCALES, Detail, ignoring_scale, mean_target, measure_detail

SPEC = LossSpec(
    style_layers={"relu1_1": 1.0, "relu2_1": 1.0}, content_layers={"relu2_1": 1.0}, style_weight=1.0,
    content_weight=1.0, mean_weight=0.3, tv_weight=0.0, pyramid_levels=2, content_level=0,
)  # fmt: skip


def detail(untold, *, told=0.5):
    return Detail({scale: [told, -told] for scale in SCALES}, {scale: [untold, untold] for scale in SCALES})


@pytest.mark.parametrize(
    ("found", "verdict", "way"),
    [
        (detail(-6.0), SUPPORTED, "smoother"),
        (detail(5.0), SUPPORTED, "noisier"),
        (detail(0.6), CONTRADICTED, "noisier"),
        (detail(0.2, told=4.0), CONTRADICTED, ""),
        (detail(-2.5), DEPENDS, "smoother"),
    ],
    ids=["smooth", "noisy", "alike", "better", "between"],
)
def test_verdict(found, verdict, way):
    claim = ignoring_scale(found)
    assert claim.verdict == verdict
    assert way in claim.found


def test_models_that_disagree_with_pictures_leave_it_open():
    assert ignoring_scale(detail(0.6), detail(-6.0)).verdict == DEPENDS
    assert ignoring_scale(detail(-5.0), detail(-6.0)).verdict == SUPPORTED


def test_the_mean_target_is_where_the_mean_loss_is_smallest(tiny_lossnet, small_painting):
    targets = [style_targets(small_painting.render(scale), tiny_lossnet, SPEC) for scale in (0.5, 1.0, 1.5)]
    middle = mean_target(targets)
    key = (0, "relu2_1")

    def loss(found):
        return sum(float(style_distance(found, each[key], mean_weight=0.3)) for each in targets) / len(targets)

    best = middle[key].statistics
    others = [each[key].statistics for each in targets]
    assert all(loss(best) < loss(other) for other in others)
    # From the mean away, the mean loss grows as the loss against the mean target does: they differ by a constant.
    for other in others:
        against_mean = float(style_distance(other, middle[key], mean_weight=0.3))
        assert loss(other) - loss(best) == pytest.approx(against_mean, rel=1e-3)
    shifted = Statistics(best.matrix + 0.01, best.mean)
    assert loss(shifted) > loss(best)


def test_each_photo_is_painted_untold_and_at_every_scale(tiny_lossnet, small_painting):
    photo = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    seen = []
    found, pictures = measure_detail(
        [photo], small_painting, lossnet=tiny_lossnet, spec=SPEC, seed=0, iterations=3,
        progress=lambda done, total, text: seen.append((done, total)),
    )  # fmt: skip
    assert seen[-1] == (12, 12)
    assert [picture.shape for picture in pictures[0]] == [photo.shape] * 4
    assert set(found.told) == set(found.untold) == set(SCALES)
    assert not torch.equal(pictures[0][0], pictures[0][1])
