"""Matched scale: the stroke scale at which a painting's feature statistics come closest to those of a picture.

In octaves: 0 means strokes as large as in the painting at its reference size, 1 twice as large. Any encoder serves; to
judge a trained model use one that it was not trained against.

Shape letters: B batch, C channels, H W feature size, K scales of the grid.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from brushnet import images
from brushnet.errors import UserError
from brushnet.losses import covariance, pyramid
from brushnet.strokes import Painting

Encoder = Callable[[Tensor], Mapping[str, Tensor]]  # RGB (B, 3, H, W) in [0, 1] -> features (B, C, H, W) by layer
Key = tuple[int, str]  # pyramid level (0 is the finest) and layer

STEP_OCTAVES = 1 / 8
# The pyramid starts at twice the picture's size: strokes of 2 to 4 px fall between the positions of an encoder that
# keeps every fourth pixel. Error on 12 parts (36 % of the area) of rescaled paintings 0.11 octave; 0.15 without the
# enlarged level; 0.23 with a level of half the size instead, which sees what is depicted rather than strokes.
ENLARGED = 2
LEVELS = 2
SMALLEST_LEVEL_PX = 48  # a smaller level leaves the encoder too few positions for a covariance
BLANK_NORM = 1e-3  # of a picture's statistics over the painting's smallest: below it there is nothing to compare


class Match(NamedTuple):
    """Both NaN where the picture has no texture; else `distance` is from 0, the painting itself, to 1 or (rarely) 2."""

    octaves: float
    distance: float


class PaintingStatistics(NamedTuple):
    """Statistics of the painting at every scale of a grid, each of norm 1, and the norms that they had."""

    octaves: Tensor  # (K,)
    unit: dict[Key, Tensor]  # (K, C, C)
    norms: dict[Key, Tensor]  # (K,)
    encode: Encoder


def picture_statistics(picture_13HW: Tensor, encode: Encoder) -> dict[Key, Tensor]:
    """Covariance (C, C) for each pyramid level and layer; levels too small for the encoder are left out.

    The mean over the picture and the picture turned by 90 degrees: an encoder tells directions apart, and a photo leads
    the strokes in other directions than the painting. Without it a turned painting was off by 0.46 octave.
    """
    height, width = picture_13HW.shape[-2:]
    enlarged = images.resize(picture_13HW, ENLARGED * height, ENLARGED * width)
    found: dict[Key, Tensor] = {}
    for level, picture in enumerate(pyramid(enlarged, LEVELS)):
        if min(picture.shape[-2:]) < SMALLEST_LEVEL_PX:
            continue
        upright, turned = encode(picture), encode(picture.rot90(dims=(-2, -1)))
        for layer in upright:
            found[level, layer] = (covariance(upright[layer])[0] + covariance(turned[layer])[0]) / 2
    return found


@torch.inference_mode()
def painting_statistics(
    painting: Painting,
    *,
    encode: Encoder,
    octaves: tuple[float, float] = (-2.0, 2.0),
    step_octaves: float = STEP_OCTAVES,
) -> PaintingStatistics:
    """Statistics of S_s on a grid of log2 s. It ends where the painting would be enlarged: that blurs its strokes."""
    low, high = octaves[0], min(octaves[1], math.log2(painting.largest_scale))
    if high - low < 2 * step_octaves:
        raise UserError(
            f"{painting.name} is {painting.short_px} px on its short side; to find stroke scales from {2**low:.3g} it "
            f"must have at least {2 ** (low + 2 * step_octaves) * painting.reference_px:.0f} px"
        )
    grid_K = torch.arange(low, high + 1e-6, step_octaves)
    tables = [picture_statistics(painting.render(2.0**log2_s), encode) for log2_s in grid_K.tolist()]
    # Only what every scale has can be compared over the grid: small renderings lack the coarse levels.
    shared = [key for key in tables[-1] if all(key in table for table in tables)]
    stacked = {key: torch.stack([table[key] for table in tables]) for key in shared}
    norms = {key: table.flatten(1).norm(dim=1) for key, table in stacked.items()}
    unit = {key: table / norms[key].clamp_min(1e-12)[:, None, None] for key, table in stacked.items()}
    return PaintingStatistics(grid_K, unit, norms, encode)


def matched_octaves(picture_13HW: Tensor, painting: PaintingStatistics) -> Match:
    """Matched scale of a picture. At an end of the grid it says no more than `at least` or `at most`."""
    curve_K = distance_curve(picture_13HW, painting)
    if curve_K is None:
        return Match(math.nan, math.nan)
    place, distance = parabolic_minimum(curve_K)
    step = float(painting.octaves[1] - painting.octaves[0])
    return Match(float(painting.octaves[0]) + step * place, distance)


@torch.inference_mode()
def distance_curve(picture_13HW: Tensor, painting: PaintingStatistics) -> Tensor | None:
    """1 - cosine of the statistics at every scale of the grid, the mean over layers and levels. Returns (K,).

    The cosine, since it does not depend on contrast: on 60 parts of rescaled paintings it was off by 0.28 octave in the
    mean where the squared distance over the target's energy, as in the loss, was off by 0.45 (without the enlarged
    level and with zero padding, both). None for a picture without texture.
    """
    found = picture_statistics(picture_13HW, painting.encode)
    keys = [key for key in painting.unit if key in found]
    if not keys:
        raise UserError(
            f"a picture of {tuple(picture_13HW.shape[-2:])} px is too small to be measured: at least "
            f"{SMALLEST_LEVEL_PX // ENLARGED} px on its short side are needed"
        )
    if all(found[key].norm() < BLANK_NORM * painting.norms[key].min() for key in keys):
        return None
    cosines = [(painting.unit[key] * found[key]).sum(dim=(1, 2)) / found[key].norm().clamp_min(1e-12) for key in keys]
    return 1 - torch.stack(cosines).mean(dim=0)


def parabolic_minimum(curve_K: Tensor) -> tuple[float, float]:
    """Place (in steps from the first value) and value of the lowest point, refined by a parabola between neighbours."""
    lowest = int(curve_K.argmin())
    if lowest in (0, len(curve_K) - 1):
        return float(lowest), float(curve_K[lowest])
    before, at, after = curve_K[lowest - 1 : lowest + 2].double().tolist()
    bend = before - 2 * at + after
    shift = (before - after) / (2 * bend) if bend > 0 else 0.0
    return lowest + shift, at - (before - after) * shift / 4
