"""Each form of a layer gives what the network's own layer gives."""

import numpy as np
import pytest
import torch

from brushnet.export.layers import Affine, conv, normed
from brushnet.nets.convs import Conv, EnlargingConv, SubPixelConv
from brushnet.nets.norm import conditional_instance_norm


@pytest.fixture
def feats():
    return torch.randn(2, 5, 12, 16, generator=torch.Generator().manual_seed(0))


def close(got, expected):
    assert got.shape == tuple(expected.shape)
    np.testing.assert_allclose(got, expected.detach().numpy(), atol=2e-5)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Conv(5, 7),
        lambda: Conv(5, 7, stride=2),
        lambda: Conv(5, 7, kernel=9),
        lambda: Conv(5, 3, kernel=9),
        lambda: Conv(5, 7, kernel=8, stride=4),
        lambda: EnlargingConv(5, 3),
        lambda: SubPixelConv(5, 3),
    ],
    ids=[
        "plain",
        "halving",
        "large",
        "large, few out",
        "patches",
        "enlarging",
        "pixels of a point",
    ],
)
def test_convolution(evaluate, feats, layer):
    layer = layer()
    torch.nn.init.normal_(layer.weight, std=0.2)
    close(evaluate(lambda x: conv(x, layer), feats.numpy()), layer(feats))


@pytest.mark.parametrize("points", [(1, 1), (3, 4)])
def test_norm_with_one_condition_and_with_a_map_of_it(evaluate, feats, points):
    scale, shift = torch.rand(2, 1, 5, *points) + 0.5
    of_map = points != (1, 1)

    def write(x):
        told = [x.graph.constant((each if of_map else each.flatten()).numpy()) for each in (scale, shift)]
        return normed(x, Affine(*told, channels=5), of_map=of_map)

    close(evaluate(write, feats.numpy()), conditional_instance_norm(feats, (scale, shift)))
