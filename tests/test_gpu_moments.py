"""gpu_moments.py: what a GPU computes in a training step are the moments and their gradient."""

import pytest
import torch

from brushnet.gpu_moments import GpuMoments
from brushnet.losses import statistics


def features(size):
    return torch.rand(2, 6, size, size + 2, generator=torch.Generator().manual_seed(0))


def moments_and_gradient(compute, feats):
    feats = feats.clone().requires_grad_()
    matrix, mean = compute(feats)
    weights = torch.rand(matrix.shape, generator=torch.Generator().manual_seed(1))  # not symmetric
    (gradient,) = torch.autograd.grad((matrix * weights).square().sum() + mean.square().sum(), feats)
    return matrix, mean, gradient


@pytest.mark.parametrize("kind", ["gram", "covariance"])
@pytest.mark.parametrize("size", [16, 5])
def test_they_are_the_statistics_and_have_their_gradient(kind, size):
    found = moments_and_gradient(lambda feats: GpuMoments.apply(feats, kind == "covariance"), features(size))
    wanted = moments_and_gradient(lambda feats: statistics(feats, kind=kind), features(size))
    for each, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(each, expected)


@pytest.mark.parametrize("kind", ["gram", "covariance"])
def test_of_bfloat16_they_are_in_float32(kind):
    feats = features(8).bfloat16()
    matrix, mean, gradient = moments_and_gradient(lambda feats: GpuMoments.apply(feats, kind == "covariance"), feats)
    exact = moments_and_gradient(lambda feats: statistics(feats, kind=kind), feats.float())
    torch.testing.assert_close((matrix, mean), exact[:2])
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient, exact[2].bfloat16(), rtol=0.02, atol=1e-5)
