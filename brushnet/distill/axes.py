"""The teacher's main axes: the few directions in which nearly all of what a layer says varies.

The student is compared with the teacher along these alone. What the others hold counts hardly anything in a Gram
matrix, and comparing all of a wide teacher's channels would cost more than the student itself.

Shape letters: B batch, T teacher's channels, K axes, H W feature size.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Axes = dict[str, Tensor]  # (K, T) by layer: orthogonal rows, the teacher's features along them have mean square 1


def main_axes(teacher_feats: Iterable[Mapping[str, Tensor]], ranks: Mapping[str, int]) -> Axes:
    """The `ranks[layer]` strongest axes of each layer over some batches of features (B, T, H, W), mean included."""
    second: dict[str, Tensor] = {}
    for feats in teacher_feats:
        for name, layer in feats.items():
            flat_TN = layer.float().transpose(0, 1).flatten(1)
            second[name] = second.get(name, 0.0) + flat_TN @ flat_TN.T / flat_TN.shape[1]
    return {name: _strongest(matrix.double(), ranks[name]) for name, matrix in second.items()}


def _strongest(second_TT: Tensor, rank: int) -> Tensor:
    values, vectors = torch.linalg.eigh(second_TT)  # rising
    axes_KT = vectors[:, -rank:].T.flip(0)
    return (axes_KT / values.sum().sqrt()).float()


def units(axes: Axes) -> dict[str, float]:
    """The root mean square of the teacher's features, summed over channels: what `main_axes` divided each layer by."""
    return {name: 1 / float(axes_KT[0].norm()) for name, axes_KT in axes.items()}


def project(feats_BTHW: Tensor, axes_KT: Tensor) -> Tensor:
    """Coordinates (B, K, H, W) along the axes."""
    return F.conv2d(feats_BTHW, axes_KT[:, :, None, None].to(feats_BTHW.dtype))
