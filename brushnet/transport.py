"""The linear map between two normal distributions that moves points least: optimal transport in closed form.

As for colours in Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour
transfer". Whitening and colouring, the other way to new moments, turns what need not be turned.

Shape letters: C channels.
"""

import torch
from torch import Tensor

FLOOR = 1e-4  # of the mean variance: directions that the points hardly have are not blown up


def transport(covariance_CC: Tensor, wanted_CC: Tensor, *, floor: float = FLOOR) -> Tensor:
    """A symmetric T with T covariance T = wanted, up to the floor. In float64: roots of nearly singular matrices."""
    ridge = floor * torch.maximum(covariance_CC.diagonal().mean(), wanted_CC.diagonal().mean()) + 1e-12
    ridge_CC = ridge * torch.eye(len(wanted_CC), dtype=wanted_CC.dtype)
    root = _power(covariance_CC + ridge_CC, 0.5)
    back = _power(covariance_CC + ridge_CC, -0.5)
    return back @ _power(root @ (wanted_CC + ridge_CC) @ root, 0.5) @ back


def _power(matrix_CC: Tensor, exponent: float) -> Tensor:
    values_C, vectors_CC = torch.linalg.eigh((matrix_CC + matrix_CC.mT) / 2)
    return (vectors_CC * values_C.clamp_min(1e-30) ** exponent) @ vectors_CC.mT
