"""Each form of a layer gives what the network's own layer gives."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brushnet.export.layers import Affine, conv, enlarging_conv, normed, wide_conv
from brushnet.nets.condition import conditional_instance_norm
from brushnet.nets.transformer import Conv


@pytest.fixture
def feats():
    return torch.randn(2, 5, 12, 16, generator=torch.Generator().manual_seed(0))


def close(got, expected):
    assert got.shape == tuple(expected.shape)
    np.testing.assert_allclose(got, expected.detach().numpy(), atol=2e-5)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (9, 1)])
def test_convolution(evaluate, feats, kernel, stride):
    layer = Conv(5, 7, kernel=kernel, stride=stride)
    close(evaluate(lambda x: conv(x, layer), feats.numpy()), layer(feats))


def test_wide_convolution_four_pixels_at_a_time(evaluate, feats):
    layer = Conv(5, 3, kernel=9)
    close(evaluate(lambda x: wide_conv(x, layer), feats.numpy()), layer(feats))


def test_enlarging_convolution_without_the_enlarged_picture(evaluate, feats):
    layer = Conv(5, 3)
    enlarged = F.interpolate(feats, scale_factor=2.0, mode="nearest")
    close(evaluate(lambda x: enlarging_conv(x, layer), feats.numpy()), layer(enlarged))


@pytest.mark.parametrize("points", [(1, 1), (3, 4)])
def test_norm_with_one_condition_and_with_a_map_of_it(evaluate, feats, points):
    scale, shift = torch.rand(2, 1, 5, *points) + 0.5
    of_map = points != (1, 1)

    def write(x):
        told = [x.graph.constant((each if of_map else each.flatten()).numpy()) for each in (scale, shift)]
        return normed(x, Affine(*told, channels=5), of_map=of_map)

    close(evaluate(write, feats.numpy()), conditional_instance_norm(feats, (scale, shift)))
