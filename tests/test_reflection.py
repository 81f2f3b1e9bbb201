"""reflection.py: what GPUs are given in place of torch's reflect padding is that, both ways."""

import pytest
import torch
from torch.nn import functional as F

from brushnet.reflection import ReflectPad, padded, reflected


def features(height, width, seed=0):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("height", "width", "px"), [(2, 2, 1), (7, 5, 1), (5, 8, 4), (6, 3, 2)])
def test_it_pads_as_torch_does_with_the_gradient_of_that(height, width, px):
    feats, wanted = (features(height, width).requires_grad_() for _ in range(2))
    found, torchs = ReflectPad.apply(feats, px), F.pad(wanted, (px, px, px, px), mode="reflect")
    assert torch.equal(found, torchs)
    assert found.is_contiguous(memory_format=torch.channels_last)
    weights = features(height + 2 * px, width + 2 * px, seed=1)
    (found * weights).sum().backward()
    (torchs * weights).sum().backward()
    torch.testing.assert_close(feats.grad, wanted.grad)


def test_it_casts_where_it_copies_anyway():
    found = padded(features(4, 4).float(), 1, dtype=torch.bfloat16)
    assert torch.equal(found, F.pad(features(4, 4).bfloat16(), (1, 1, 1, 1), mode="reflect"))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device"))])  # fmt: skip
def test_every_device_pads_alike(device):
    feats = features(9, 6).to(device).to(memory_format=torch.channels_last)
    assert torch.equal(reflected(feats, 2).cpu(), F.pad(feats.cpu(), (2, 2, 2, 2), mode="reflect"))
