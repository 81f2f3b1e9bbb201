"""Convolutions compute what they are defined as, however they do it."""

import pytest
import torch
from torch.nn import functional as F

from brushnet.nets.convs import Conv, EnlargingConv, SubPixelConv


@pytest.mark.parametrize("size", [(20, 24), (21, 24)], ids=["even", "odd"])
@pytest.mark.parametrize(
    ("kernel", "stride", "outputs"), [(3, 1, 5), (3, 2, 5), (9, 1, 3), (9, 1, 16), (8, 4, 5)], ids=str
)
def test_a_convolution_reflects_its_border_and_keeps_the_size_before_its_stride(kernel, stride, outputs, size):
    conv, feats = Conv(4, outputs, kernel=kernel, stride=stride), torch.randn(2, 4, *size)
    pad = (kernel - stride + 1) // 2
    expected = F.conv2d(F.pad(feats, (pad,) * 4, mode="reflect"), conv.weight, conv.bias, stride)
    torch.testing.assert_close(conv(feats), expected)
    if size == (20, 24):
        assert expected.shape[-2:] == (20 // stride, 24 // stride)


def test_an_enlarging_convolution_is_one_of_the_enlarged_features():
    conv, feats = EnlargingConv(4, 5), torch.randn(2, 4, 7, 6)
    enlarged = F.interpolate(feats, scale_factor=2.0, mode="nearest")
    expected = F.conv2d(F.pad(enlarged, (1,) * 4, mode="reflect"), conv.weight, conv.bias)
    torch.testing.assert_close(conv(feats), expected)


@pytest.mark.parametrize("make", [lambda: Conv(4, 3, kernel=9), lambda: EnlargingConv(4, 5)], ids=["wide", "enlarging"])
def test_gradients_are_those_of_the_definition(make):
    conv, feats = make().double(), torch.randn(2, 4, 12, 14, dtype=torch.float64, requires_grad=True)
    given = F.interpolate(feats, scale_factor=2.0) if isinstance(conv, EnlargingConv) else feats
    pad = conv.padding[0]
    plain = F.conv2d(F.pad(given, (pad,) * 4, mode="reflect"), conv.weight, conv.bias)
    upstream, wanted = torch.randn_like(plain), [feats, conv.weight, conv.bias]
    for found, expected in zip(
        torch.autograd.grad(conv(feats), wanted, upstream), torch.autograd.grad(plain, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_pixels_of_a_point_are_equal_at_first():
    found = SubPixelConv(4, 3)(torch.randn(1, 4, 6, 5))
    assert found.shape == (1, 3, 12, 10)
    torch.testing.assert_close(F.interpolate(found[..., ::2, ::2], scale_factor=2.0, mode="nearest"), found)


def test_a_pixel_of_a_point_has_its_own_kernel():
    conv, feats = SubPixelConv(4, 3), torch.randn(1, 4, 6, 5)
    torch.nn.init.normal_(conv.weight)
    whole = F.conv2d(F.pad(feats, (1,) * 4, mode="reflect"), conv.weight, conv.bias)
    torch.testing.assert_close(conv(feats)[0, 1, 1::2, ::2], whole[0, 4 + 2])
