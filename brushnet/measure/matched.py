"""Matched scale: the stroke scale at which a painting looks most like a picture, tile by tile.

In octaves: 0 means strokes as large as in the painting at its reference size, 1 twice as large.

Each tile of the picture is compared with all tiles of the painting at each scale of a grid, and the nearest one counts:
a painting has fine strokes here and broad ones there, and a part of it, or a photo painted in its style, has them in
other shares. So parts of rescaled paintings are found as exactly as the whole; statistics of whole pictures, which this
meter compared before, were off by 0.2 octave on them.

Shape letters: T tiles, D numbers that describe a tile, K scales of the grid.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import images, seeds
from brushnet.errors import UserError
from brushnet.measure.texture import Descriptors, Texture, over_tiles, tiles
from brushnet.strokes import Painting

STEP_OCTAVES = 1 / 4
SMALLEST_PX = 48  # short side of a picture
SMALLEST_SCALE_PX = 48  # short side of the painting at the smallest scale that is told for sure
LARGEST_SCALE_PX = 1536  # and at the largest: above, gigabytes of maps
TILES_PX = (64, 96, 144)  # the one nearest to half of the short side is taken
STEPS = 4  # a tile of the picture starts at every quarter of a tile
PAINTING_STEPS = 8  # of the painting twice as often: the nearest one is a sixteenth of a tile away at most
_NEAR = 0.01  # distance at which tiles are the same for all that can be said
# The more tiles beside each other, the nearer the nearest: as their number to the power of -1/8, if what tells tiles
# apart has 8 dimensions. Without this, large scales, which have more tiles, drew every match upwards: by 0.2 octave on
# painted pictures of other photos (0.07 with it), by 0.019 on rescaled paintings (-0.006).
_DIMENSIONS, _USUAL_TILES = 8, 16
_FLAT = 1.5 / 255  # standard deviation of what is finer than FLAT_PX, in one channel: rounding has 0.3 / 255
_FLAT_PX = 17
_LOOK_PX = 512  # short side at which a painting is looked at for texture
_FEWEST_TILES = 0.02  # share of a picture's tiles that must have texture
_DRAWS = 200  # of tiles, for the confidence
_REFINEMENT = 0.06  # octaves that the parabola between two scales of the grid may be off by


class Match(NamedTuple):
    """All NaN where the picture has no texture.

    `low` and `high` are a 95 % confidence, as far as tiles of one picture can tell: infinite where the grid ends.
    `distance` is 0 for the painting itself, up to 0.03 for parts of it, about 0.04 for pictures by trained models, 0.1
    for noise; unrelated pictures have 0.03 to 0.1, so by itself it tells no strangers.
    """

    octaves: float
    distance: float
    low: float = math.nan
    high: float = math.nan


class PaintingStatistics(NamedTuple):
    """Descriptors of the painting's tiles of every size at every scale of a grid."""

    octaves: Tensor  # (K,)
    sizes_px: Tensor  # (K, 2) heights and widths
    tiles: dict[int, list[Descriptors]]  # by size in px
    texture: Texture


@torch.inference_mode()
def painting_statistics(
    painting: Painting,
    *,
    texture: Texture,
    octaves: tuple[float, float] = (-math.inf, math.inf),
    step_octaves: float = STEP_OCTAVES,
) -> PaintingStatistics:
    """Tiles of S_s on a grid of log2 s.

    It begins where the painting has a short side of 48 px or just below, and ends a step above the painting's own size,
    so that this is found too, or at a short side of 1536 px.
    """
    if _is_flat(images.to_float(images.resize_short_side(painting.pixels, min(painting.short_px, _LOOK_PX)))[None]):
        raise UserError(f"{painting.name} has no texture; a painting with brushstrokes is needed to compare with")
    to_octaves = -math.log2(painting.reference_px)
    lowest = max(octaves[0], math.log2(SMALLEST_SCALE_PX) + to_octaves)
    own = math.log2(min(painting.short_px, LARGEST_SCALE_PX)) + to_octaves
    highest = min(octaves[1], own + step_octaves)
    count = math.ceil((highest - lowest) / step_octaves - 1e-6)
    if count < 2:
        raise UserError(
            f"{painting.name} is {painting.short_px} px on its short side; to find stroke scales from {2**lowest:.3g} "
            f"it must have at least {2 ** (lowest + step_octaves) * painting.reference_px:.0f} px"
        )
    grid_K = highest - step_octaves * torch.arange(count, -1, -1)
    found: dict[int, list[Descriptors]] = {size: [] for size in TILES_PX}
    sizes_px = []
    for log2_s in grid_K.tolist():
        rendered = painting.render(2.0**log2_s)
        maps = texture.maps(rendered)
        sizes_px.append(_size(rendered))
        for size in TILES_PX:
            found[size].append(tiles(texture, maps, _size(rendered), tile_px=size, steps=PAINTING_STEPS))
    return PaintingStatistics(grid_K, torch.tensor(sizes_px), found, texture)


def matched_octaves(picture_13HW: Tensor, painting: PaintingStatistics) -> Match:
    """Matched scale of a picture. At an end of the grid it says no more than `at least` or `at most`."""
    curves_TK = distance_curves(picture_13HW, painting)
    if curves_TK is None:
        return Match(math.nan, math.nan)
    place, log_distance = parabolic_minimum(curves_TK.mean(dim=0))
    first, step = float(painting.octaves[0]), float(painting.octaves[1] - painting.octaves[0])
    low, high = _confidence(curves_TK)
    octaves = first + step * place
    last_place = len(painting.octaves) - 1
    return Match(
        octaves,
        max(0.0, math.exp(log_distance) - _NEAR),
        -math.inf if min(low, place) == 0 else min(octaves, first + step * low) - _REFINEMENT,
        math.inf if max(high, place) == last_place else max(octaves, first + step * high) + _REFINEMENT,
    )


@torch.inference_mode()
def distance_curves(picture_13HW: Tensor, painting: PaintingStatistics) -> Tensor | None:
    """Log distance of each tile to the nearest of the painting at each scale of the grid, as if that had 16 tiles.

    Returns (T, K). The mean over groups of descriptors by their weights. In logarithms a tile that is found again
    outweighs many that are not. None for a picture without texture; UserError for one too small.
    """
    picture = picture_13HW.detach().float().cpu()
    height, width = _size(picture)
    if min(height, width) < SMALLEST_PX:
        raise UserError(
            f"a picture of {width} x {height} px is too small to be measured: at least {SMALLEST_PX} px on its short "
            "side are needed"
        )
    if _is_flat(picture):
        return None
    size = min(TILES_PX, key=lambda px: abs(math.log(2 * px / min(height, width))))
    texture = painting.texture
    # Tiles of one colour say nothing, and would say it as loudly as the others.
    textured_T = (
        over_tiles(_detail(picture), size_px=(height, width), tile_px=size, steps=STEPS).amax(dim=0) >= _FLAT**2
    )
    if textured_T.float().mean() < _FEWEST_TILES:
        return None
    found = tiles(texture, texture.maps(picture), (height, width), tile_px=size, steps=STEPS)
    found = {group: described_TD[textured_T] for group, described_TD in found.items()}
    weights = texture.weights
    by_group = [
        weights[group] * torch.stack([_nearest(found[group], each[group]) for each in painting.tiles[size]], dim=1)
        for group in weights
    ]
    tiles_K = (painting.sizes_px / size).clamp_min(1).prod(dim=1)
    return torch.stack(by_group).sum(dim=0) / sum(weights.values()) + (tiles_K / _USUAL_TILES).log() / _DIMENSIONS


def parabolic_minimum(curve_K: Tensor) -> tuple[float, float]:
    """Place (in steps from the first value) and value of the lowest point, refined by a parabola between neighbours."""
    lowest = int(curve_K.argmin())
    if lowest in (0, len(curve_K) - 1):
        return float(lowest), float(curve_K[lowest])
    before, at, after = curve_K[lowest - 1 : lowest + 2].double().tolist()
    bend = before - 2 * at + after
    shift = (before - after) / (2 * bend) if bend > 0 else 0.0
    return lowest + shift, at - (before - after) * shift / 4


def _nearest(found_TD: Tensor, known_TD: Tensor) -> Tensor:
    """Log of the root mean square difference to the nearest tile. Returns (T,)."""
    said = ~(found_TD.isnan().any(dim=0) | known_TD.isnan().any(dim=0))
    distance = torch.cdist(found_TD[:, said], known_TD[:, said]).amin(dim=1)
    return (distance / math.sqrt(max(1, int(said.sum()))) + _NEAR).log()


def _confidence(curves_TK: Tensor) -> tuple[float, float]:
    """Places, in steps, between which 95 of 100 draws of tiles with replacement lie (a bootstrap, Efron 1979).

    A draw has as many tiles as the picture has apart from each other: those that overlap say the same.
    """
    count = max(2, round(len(curves_TK) / STEPS**2))
    drawn = seeds.rng(0, "confidence").integers(0, len(curves_TK), (_DRAWS, count))
    means = curves_TK[torch.from_numpy(drawn)].mean(dim=1)
    places = torch.tensor([parabolic_minimum(mean_K)[0] for mean_K in means])
    low, high = torch.quantile(places, torch.tensor([0.025, 0.975])).tolist()
    return low, high


def _is_flat(picture_13HW: Tensor) -> bool:
    """A single colour, or smooth changes only."""
    edge = _FLAT_PX // 2  # at the border the reflected picture bends
    return bool(_detail(picture_13HW)[..., edge:-edge, edge:-edge].mean(dim=(1, 2)).max() < _FLAT**2)


def _detail(picture_13HW: Tensor) -> Tensor:
    """Square of what is finer than FLAT_PX, (3, H, W)."""
    edge = _FLAT_PX // 2
    around = F.avg_pool2d(F.pad(picture_13HW, (edge,) * 4, mode="reflect"), _FLAT_PX, stride=1)
    return (picture_13HW - around).square()[0]


def _size(picture_13HW: Tensor) -> tuple[int, int]:
    height, width = picture_13HW.shape[-2:]
    return height, width
