"""The linear map that moves points least and gives them new moments."""

import torch

from brushnet.transport import FLOOR, transport


def covariance(seed: int, channels: int = 5) -> torch.Tensor:
    points = torch.randn(channels, 3 * channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return points.cov()


def test_the_map_is_symmetric_and_gives_the_wanted_covariance():
    found, wanted = covariance(0), covariance(1)
    map_CC = transport(found, wanted, floor=1e-12)
    torch.testing.assert_close(map_CC, map_CC.mT)
    torch.testing.assert_close(map_CC @ found @ map_CC, wanted, atol=1e-8, rtol=1e-8)
    assert torch.linalg.eigvalsh(map_CC).min() > 0  # nothing is mirrored


def test_equal_covariances_are_left_alone():
    torch.testing.assert_close(transport(covariance(0), covariance(0)), torch.eye(5, dtype=torch.float64))


def test_directions_without_variance_are_blown_up_no_further_than_the_floor_allows():
    found, wanted = torch.diag(torch.tensor([1.0, 0.0]).double()), torch.eye(2).double()
    assert transport(found, wanted).max() < 1.01 * FLOOR**-0.5
    assert transport(wanted, found).isfinite().all()
    assert transport(0 * wanted, 0 * wanted).isfinite().all()
