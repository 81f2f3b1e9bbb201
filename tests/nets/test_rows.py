"""Layers in bands of rows beside the same layers on a whole picture."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brushnet.nets.convs import Conv, EnlargingConv
from brushnet.nets.norm import conditional_instance_norm, feature_moments
from brushnet.nets.rows import (
    Averaged,
    Convolved,
    Cropped,
    EnlargedConvolved,
    Held,
    Normed,
    Padded,
    Pointwise,
    Resized,
    Rows,
    bands,
)

band_rows = pytest.mark.parametrize("rows", [1, 3, 8, 1000])


def picture(height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height * width))


def in_bands(rows: Rows, count: int) -> torch.Tensor:
    return torch.cat([rows.read(top, bottom) for top, bottom in bands(rows.height, count)], dim=2)


class Once(Held):
    """Fails where a row is read again, or not in order."""

    def __init__(self, whole: torch.Tensor):
        super().__init__(whole)
        self.read_to = 0

    def read(self, top: int, bottom: int) -> torch.Tensor:
        assert top == self.read_to, f"row {top} is read after {self.read_to}"
        self.read_to = bottom
        return super().read(top, bottom)


@band_rows
@pytest.mark.parametrize(("kernel", "stride"), [(9, 1), (3, 1), (3, 2)])
@pytest.mark.parametrize("size", [(20, 24), (36, 40), (8, 12)])
@torch.no_grad()
def test_a_convolution_in_bands_is_the_convolution(rows, kernel, stride, size):
    conv = Conv(3, 5, kernel=kernel, stride=stride)
    whole = picture(*size)
    made = in_bands(Convolved(Once(whole), conv), rows)
    torch.testing.assert_close(made, conv(whole), atol=1e-5, rtol=0)


@band_rows
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("target", [(30, 40), (13, 17), (47, 20), (75, 111), (1, 1), (4, 90)])
def test_a_resize_in_bands_is_the_resize(rows, mode, target):
    whole = picture(30, 40)
    made = in_bands(Resized(Once(whole), *target, mode=mode), rows)
    expected = F.interpolate(whole, target, mode=mode, antialias=True, align_corners=False)
    torch.testing.assert_close(made, expected, atol=2e-6, rtol=0)


@band_rows
@pytest.mark.parametrize("size", [(1, 1), (3, 4), (7, 9), (1, 6)])
def test_a_norm_by_a_map_in_bands_is_the_norm(rows, size):
    whole = picture(23, 31)
    affine, moments = (picture(*size), picture(*size) - 0.5), feature_moments(whole)
    made = in_bands(Normed(Once(whole), affine, moments, F.relu_), rows)
    expected = F.relu(conditional_instance_norm(whole, affine, moments=moments))
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


@band_rows
@pytest.mark.parametrize("size", [(11, 7), (6, 8), (2, 2), (1, 3)])
@torch.no_grad()
def test_an_enlarging_convolution_in_bands_is_the_convolution(rows, size):
    conv, whole = EnlargingConv(3, 5), picture(*size)
    made = in_bands(EnlargedConvolved(Once(whole), conv), rows)
    torch.testing.assert_close(made, conv(whole), atol=1e-5, rtol=0)


@band_rows
def test_padding_cropping_and_sums_in_bands(rows):
    whole = picture(11, 7)
    padded = in_bands(Padded(Once(whole), 20, 20), rows)
    assert torch.equal(padded, F.pad(whole, (0, 13, 0, 9), mode="replicate"))
    assert torch.equal(in_bands(Cropped(Once(whole), 5, 6), rows), whole[:, :, :5, :6])
    assert torch.equal(in_bands(Pointwise(torch.add, Once(whole), Held(whole)), rows), whole + whole)


@band_rows
def test_means_around_each_point_in_bands(rows):
    whole = picture(23, 9)
    made = in_bands(Averaged(Once(whole), 8), rows)
    expected = F.avg_pool2d(F.pad(whole, (8,) * 4, mode="replicate"), 17, stride=1)
    torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_second_pass_begins_anew():
    whole, conv = picture(20, 20), Conv(3, 2)
    held = Held(whole)
    rows = Convolved(held, conv)
    assert in_bands(rows, 1000).shape == (1, 2, 20, 20)
    held.whole = whole + 1
    torch.testing.assert_close(in_bands(rows, 1000), conv(whole + 1), atol=1e-5, rtol=0)


@torch.no_grad()
def test_what_a_row_costs_is_more_where_there_is_more_to_do():
    narrow, wide = (Convolved(Held(picture(20, width)), nn.Conv2d(3, 8, 3)) for width in (20, 40))
    assert wide.row_bytes == 2 * narrow.row_bytes
    assert wide.row_work == 2 * narrow.row_work
    assert Convolved(narrow, nn.Conv2d(8, 8, 3)).row_work > narrow.row_work
