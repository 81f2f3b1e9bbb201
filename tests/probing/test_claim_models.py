"""Verdicts of claims b and c from made-up models: each way they can come out."""

import math
from dataclasses import replace

import pytest

from brushnet.probing.claim import CONTRADICTED, DEPENDS, NOT_TESTED, SUPPORTED
from brushnet.probing.claim_models import ModelFigures, detail_of, more_blocks, transfer
from brushnet.probing.model_figures import mean_measured

SCALES = (0.5, 0.71, 1.0, 1.41, 2.0)


def model(name, losses, *, mode="fixed", low=1.0, high=1.0, blocks=5, rescaled=None, detail=(0.0, 0.0)):
    return ModelFigures(
        name=name,
        mode=mode,
        octaves=(math.log2(low), math.log2(high)),
        blocks=blocks,
        width=16,
        lossnet="compact",
        steps=400,
        as_is=dict(zip(SCALES, losses, strict=True)),
        rescaled=dict(zip(SCALES, rescaled or losses, strict=True)),
        matched_octaves=dict.fromkeys(SCALES, 0.0),
        detail_db=dict.fromkeys(SCALES, detail),
    )


def diverse(losses, *, mode="conditioned", **more):
    return model(mode, losses, mode=mode, low=0.35, high=2.8, **more)


FLAT = (1.0, 1.0, 1.0, 1.0, 1.0)
STEEP = (2.0, 1.4, 1.0, 1.4, 2.0)


@pytest.mark.parametrize(
    ("models", "verdict"),
    [
        ([model("fixed", STEEP), diverse(FLAT)], SUPPORTED),
        ([model("fixed", FLAT), diverse(STEEP)], CONTRADICTED),
        ([model("fixed", STEEP), diverse(FLAT), diverse(STEEP, mode="mixed")], DEPENDS),
        ([model("fixed", STEEP, rescaled=FLAT), diverse(FLAT)], DEPENDS),
        ([model("fixed", FLAT), diverse((1.1, 1.0, 1.0, 1.0, 1.0)), diverse(FLAT, mode="mixed")], CONTRADICTED),
    ],
    ids=["as said", "the other way", "mixed is not robust", "rescaling the photo helps", "no better"],
)
def test_transfer(models, verdict):
    claim = transfer(models)
    assert claim.verdict == verdict
    assert "times the best model's style loss" in claim.found


@pytest.mark.parametrize(
    ("models", "missing"),
    [
        ([], "a fixed one"),
        ([diverse(FLAT)], "a fixed one"),
        ([model("fixed", FLAT)], "a mixed or conditioned one over 2 octaves"),
    ],
)
def test_transfer_without_models_is_not_tested(models, missing):
    claim = transfer(models)
    assert claim.verdict == NOT_TESTED
    assert claim.found.startswith(f"needs --models with {missing}; ")


def test_pictures_without_texture_are_left_out_of_the_measured_scale():
    assert mean_measured([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(mean_measured([math.nan, math.nan]))


def test_where_no_picture_can_be_measured_it_says_so():
    flat = replace(diverse(FLAT), matched_octaves=dict.fromkeys(SCALES, 0.25) | {0.5: math.nan})
    found = transfer([model("fixed", STEEP), flat]).found
    assert found.endswith("at s = 0.5 and 2, in octaves: nothing to measure and +0.25 (conditioned)")
    assert "nan" not in found


def test_models_of_other_depths_do_not_set_the_standard_of_transfer():
    deep = model("deep", (0.1,) * 5, blocks=9)
    assert transfer([model("fixed", STEEP), diverse(FLAT), deep]).verdict == SUPPORTED


@pytest.mark.parametrize(
    ("many", "verdict"),
    [
        ((0.8, 0.8, 1.0, 1.0, 1.0), SUPPORTED),
        ((1.0, 1.0, 0.8, 0.8, 0.8), CONTRADICTED),
        ((1.2, 1.2, 1.0, 1.0, 1.0), CONTRADICTED),
        ((0.8, 0.8, 0.7, 0.7, 0.7), DEPENDS),
        ((0.98, 0.98, 1.0, 1.0, 1.0), DEPENDS),
    ],
    ids=["fine strokes gain", "only broad ones", "fine strokes lose", "all gain", "hardly"],
)
def test_blocks(many, verdict):
    assert more_blocks([diverse(FLAT, blocks=1), diverse(many, blocks=9)]).verdict == verdict


def test_blocks_need_two_models_that_differ_in_nothing_else():
    claim = more_blocks([diverse(FLAT, blocks=1), diverse(FLAT, mode="mixed", blocks=9)])
    assert claim.verdict == NOT_TESTED
    assert claim.found.startswith("needs --models with two that differ in net.blocks only; ")


def test_claim_d_takes_conditioned_models_for_told_and_mixed_ones_for_untold():
    models = [diverse(FLAT, detail=(1.0, 2.0)), diverse(FLAT, mode="mixed", detail=(-4.0, -5.0))]
    found = detail_of(models)
    assert found is not None
    assert (found.told[1.0], found.untold[1.0]) == ([1.0, 2.0], [-4.0, -5.0])
    assert detail_of(models[:1]) is None
