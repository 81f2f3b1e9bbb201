"""gpu_norm.py: what a GPU computes in a training step is the norm and its gradient."""

import pytest
import torch

from brushnet.nets.gpu_norm import GpuNorm
from brushnet.nets.norm import EPS, FLAT_VARIANCE, normed_with_moments


def inputs(*, flat=False):
    generator = torch.Generator().manual_seed(0)
    feats = torch.randn(2, 4, 6, 7, generator=generator) * 3 + 1
    if flat:
        feats[0, 1] = 0.25
    return [feats, *(torch.randn(2, 4, 1, 1, generator=generator) for _ in range(2))]


def gradients(compute, values):
    values = [value.clone().requires_grad_() for value in values]
    normed, mean, var = compute(*values)
    weights = torch.rand(normed.shape, generator=torch.Generator().manual_seed(1))
    return [normed, mean, var, *torch.autograd.grad((normed * weights).square().sum(), values)]


def by_torch(feats, scale, shift):
    normed, (mean, var) = normed_with_moments(feats, (scale, shift))
    return normed, mean, var


@pytest.mark.parametrize("flat", [False, True])
def test_it_is_the_norm_and_has_its_gradient(flat):
    found = gradients(lambda *values: GpuNorm.apply(*values, EPS, FLAT_VARIANCE), inputs(flat=flat))
    for each, wanted in zip(found, gradients(by_torch, inputs(flat=flat)), strict=True):
        torch.testing.assert_close(each, wanted, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_only_what_is_read_and_written():
    values = inputs()
    exact = gradients(by_torch, [values[0].bfloat16().float(), *values[1:]])
    found = gradients(lambda feats, *affine: GpuNorm.apply(feats, *affine, EPS, FLAT_VARIANCE),
                      [values[0].bfloat16(), *values[1:]])  # fmt: skip
    assert [each.dtype for each in found] == [torch.bfloat16, torch.float32, torch.float32, torch.bfloat16] + 2 * [
        torch.float32
    ]
    torch.testing.assert_close(found[1], exact[1], rtol=1e-5, atol=1e-5)
    for each, wanted in zip(found, exact, strict=True):
        assert (each.float() - wanted).norm() < 0.01 * wanted.norm()
