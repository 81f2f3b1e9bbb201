"""The comparison covers what a file takes, and refuses what paints something else."""

import numpy as np
import pytest
import torch

from brushnet.errors import BrushnetError
from brushnet.export import check
from brushnet.export.own_file import own_bytes, painter
from brushnet.model_meta import KEY


@pytest.fixture
def seen(make_model):
    """What a model's export is asked to paint, and the differences."""

    def seen(**kind):
        model = make_model(**kind)
        paint, asked = painter(own_bytes(model, {KEY: model.meta.to_json()})), []

        def record(inputs):
            asked.append(inputs)
            return paint(inputs)

        return asked, check.compare(model, record)

    return seen


def test_three_odd_sizes_five_scales_maps_mixtures_strengths_and_a_batch(seen):
    asked, found = seen(styles=2)
    sizes = {each["photo"].shape[-2:] for each in asked}
    assert sizes == set(check.SIZES)
    assert any(height % 4 and width % 4 for height, width in sizes)
    for size in sizes:
        scales = {float(each["stroke"].max()) for each in asked
                  if each["stroke"].size == 1 and each["photo"].shape[-2:] == size}  # fmt: skip
        assert len(scales) >= 5
        assert (min(scales), max(scales)) == pytest.approx((0.35, 2.8))
    assert any(each["stroke"].size > 1 for each in asked)
    assert {float(each["strength"][0]) for each in asked} == {np.float32(value) for value in (1, *check.STRENGTHS)}
    assert any(np.allclose(each["style"], [[0.3, 0.7]]) for each in asked)
    assert any(len(each["photo"]) == 2 for each in asked)
    assert [each["stroke"].size for each in asked if np.ptp(each["photo"]) == 0] == [1]
    assert found.paintings == sum(len(each["photo"]) for each in asked)
    assert found.largest < 1e-2


def test_a_network_that_is_not_told_is_compared_without_strokes(seen):
    asked, found = seen(mode="fixed")
    assert all(each["stroke"].size == 1 for each in asked)
    assert len(asked) == found.paintings - 1 == 7


def test_other_paintings_are_refused_with_the_place_of_the_worst(make_model):
    model = make_model()
    paint = painter(own_bytes(model, {KEY: model.meta.to_json()}))

    def wrong(inputs):
        worse = inputs["photo"].shape[-2:] == (256, 130) and inputs["stroke"].max() > 2.7
        return paint(inputs) + (1 if worse else 0.5) / 255

    found = check.compare(model, wrong)
    assert found.largest == pytest.approx(1, abs=1e-3)
    found.check(2.0)
    message = (
        r"differs from the network by up to 1/255 \(130 x 256 px, stroke .*2\.8, strength 1\), allowed are 0\.5/255"
    )
    with pytest.raises(BrushnetError, match=message):
        found.check(0.5)


@pytest.mark.parametrize("wrong", [lambda painting: painting[..., :-1], lambda painting: painting * np.nan])
def test_no_picture_of_the_photos_size_is_refused(make_model, wrong):
    with pytest.raises(BrushnetError, match=r"paints no picture of the photo's size \(53 x 37 px, stroke 0\.35,"):
        check.compare(make_model(), lambda inputs: wrong(inputs["photo"]))


def test_differences_are_in_grey_levels():
    found = check.Differences()
    found.add(np.full((1, 3, 2, 2), 0.5, np.float32), torch.full((1, 3, 2, 2), 0.5 + 2 / 255), "here")
    assert (found.largest, found.mean) == (pytest.approx(2, rel=1e-4), pytest.approx(2, rel=1e-4))
