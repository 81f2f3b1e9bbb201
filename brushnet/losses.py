"""The losses: style, content and total variation, as named terms that sum to the loss.

Style and content terms are ratios to the energy of their own target, so that a weight means the same for any loss
network, layer, stroke scale and picture size.

Shape letters: B batch, C channels, H W feature size, N positions (H * W).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.gpu_moments import GpuMoments

GRID_PX, GRID_WINDOW_PX = 8, 64  # the network's grids are of 2, 4 and 8 px
PAINTED_SHARE = 0.25  # of differences that alternate: 0.16 to 0.27 in photos, 0.21 to 0.24 in a painting at any scale
CONTENT_ENERGY_FLOOR = 1e-2  # a photo without any content (fog, a wall) must not get an infinite weight


class Statistics(NamedTuple):
    """What a style layer is compared by: second moments (B, C, C) and means (B, C), float32."""

    matrix: Tensor
    mean: Tensor


class StyleTarget(NamedTuple):
    """Statistics to reach, and the energies (B,) of the whole painting at that scale that the loss is divided by."""

    statistics: Statistics
    matrix_energy: Tensor
    mean_energy: Tensor


def target_of(wanted: Statistics) -> StyleTarget:
    """These very statistics as the target, over their own energies."""
    return StyleTarget(wanted, energy(wanted.matrix), energy(wanted.mean))


Key = tuple[int, str]  # pyramid level (0 is full resolution) and layer


@dataclass(frozen=True)
class LossSpec:
    """Which layers are compared how, and with what weight; see `loss` in the configuration."""

    style_layers: Mapping[str, float]
    content_layers: Mapping[str, float]
    style_weight: float
    content_weight: float
    mean_weight: float
    tv_weight: float
    pyramid_levels: int
    content_level: int
    statistic: str = "covariance"
    content_follows_stroke: bool = False
    spectrum_weight: float = 0.0
    grid_weight: float = 0.0

    @property
    def layers(self) -> list[str]:
        """Every layer that is needed, style layers first."""
        return list(dict.fromkeys([*self.style_layers, *self.content_layers]))


def gram(feats_BCHW: Tensor) -> Tensor:
    """Gram matrix of each sample, divided by the number of positions. Returns (B, C, C), float32.

    Divided by H*W and not by C*H*W as in Johnson et al. (2016, eq. 3): energies are compared as ratios,
    where C cancels.
    """
    feats_BCN = feats_BCHW.flatten(2).float()
    return feats_BCN @ feats_BCN.mT / feats_BCN.shape[-1]


def covariance(feats_BCHW: Tensor) -> Tensor:
    """Gram matrix of the centred features of each sample. Returns (B, C, C), float32."""
    feats_BCN = feats_BCHW.flatten(2).float()
    return gram((feats_BCN - feats_BCN.mean(dim=-1, keepdim=True))[..., None])


def statistics(feats_BCHW: Tensor, *, kind: str) -> Statistics:
    """Statistics of one layer; `kind` is `covariance` or `gram`. Always computed in float32."""
    with torch.autocast(feats_BCHW.device.type, enabled=False):
        if feats_BCHW.device.type == "cuda" and not torch.compiler.is_compiling():
            return Statistics(*GpuMoments.apply(feats_BCHW, kind == "covariance"))
        matrix = covariance(feats_BCHW) if kind == "covariance" else gram(feats_BCHW)
        return Statistics(matrix, feats_BCHW.float().mean(dim=(2, 3)))


def energy(value_B: Tensor) -> Tensor:
    """Sum of squares of each sample. Returns (B,)."""
    return value_B.flatten(1).square().sum(dim=1)


def style_distance(found: Statistics, target: StyleTarget, *, mean_weight: float) -> Tensor:
    """Squared distance of the second moments and, weighted, of the means, each over its energy. Returns (B,).

    Two terms, since the energy of an uncentred Gram matrix is mostly that of its mean: colour would win over strokes.
    """
    matrix = energy(found.matrix - target.statistics.matrix) / target.matrix_energy
    mean = energy(found.mean - target.statistics.mean) / target.mean_energy
    return matrix + mean_weight * mean


def content_distance(feats_BCHW: Tensor, photo_feats_BCHW: Tensor) -> Tensor:
    """Squared distance of features over the photo's energy plus a small constant. Returns (B,)."""
    per_value = photo_feats_BCHW[0].numel()
    distance = energy((feats_BCHW - photo_feats_BCHW).float())
    return distance / (energy(photo_feats_BCHW.float()) + CONTENT_ENERGY_FLOOR * per_value)


def total_variation(picture_B3HW: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, both directions. Returns (B,); 0 for a flat picture."""
    across = picture_B3HW.diff(dim=-1).abs().mean(dim=(1, 2, 3))
    down = picture_B3HW.diff(dim=-2).abs().mean(dim=(1, 2, 3))
    return across + down


def grid_pattern(picture_B3HW: Tensor) -> Tensor:
    """How much of the differences of neighbouring pixels is a pattern and not painted. (B,)

    The share that repeats every GRID_PX in windows of GRID_WINDOW_PX (1 for a pattern of 2, 4 or 8 px, 0.02 for photos
    and paintings), and that of differences which change their sign from pixel to pixel, beyond the PAINTED_SHARE that
    those of photos and paintings have. Networks draw such patterns on the grid that they compute on: they have no other
    source of fine texture, and small loss networks hardly mind.
    """
    picture = picture_B3HW.float()
    repeated = alternating = whole = picture.new_zeros(len(picture))
    for dim in (-1, -2):  # differences: a gradient is no pattern
        steps = picture.diff(dim=dim, append=picture.narrow(dim, -1, 1))
        cells = _windows(steps)
        pattern = cells.mean(dim=(3, 5), keepdim=True)
        pattern = pattern - pattern.mean(dim=(4, 6), keepdim=True)
        repeated = repeated + pattern.square().flatten(1).mean(dim=1)
        alternating = alternating + (steps.diff(n=3, dim=dim) / 8).square().flatten(1).mean(dim=1)
        whole = whole + steps.square().flatten(1).mean(dim=1)
    whole = whole + 1e-6
    return repeated / whole + (alternating / whole - PAINTED_SHARE).clamp_min(0)


def _windows(picture_B3HW: Tensor) -> Tensor:
    """(B, 3, windows, rows of cells, cell height, cells of a row, cell width), without what is beyond whole windows."""
    height, width = (side // GRID_PX * GRID_PX for side in picture_B3HW.shape[-2:])
    high, wide = (min(GRID_WINDOW_PX, side) for side in (height, width))
    windows = picture_B3HW.unfold(2, high, high).unfold(3, wide, wide).flatten(2, 3)
    return windows.unflatten(4, (wide // GRID_PX, GRID_PX)).unflatten(3, (high // GRID_PX, GRID_PX))


def pyramid(picture_B3HW: Tensor, levels: int) -> list[Tensor]:
    """The picture and its halvings by 2 x 2 averaging, finest first (Snelgrove 2017 uses a Gaussian pyramid)."""
    pictures = [picture_B3HW]
    for _ in range(levels - 1):
        pictures.append(F.avg_pool2d(pictures[-1], 2))
    return pictures
