"""Stroke width of a picture, in px, without anything to compare it with.

At each level of a pyramid (halved and halved again, so that bristles and canvas are averaged out below larger strokes)
the chords between edges are measured (`chords.py`). Strokes of one width make their lengths pile up at that width; what
else is in a picture spreads over all lengths. The width is where, over all levels, they pile up most.

There is no calibration constant: a length is a length. What is chosen below decides which peak is believed, not where
it lies.

On 162 pictures of known width (`scripts/calibrate_meter.py width`, those of 256 and 512 px) the error is 1.7 % in the
median and at most 15 % on 156; the other six are painter's brushes, off by up to a factor of eight where bristles or an
object in the photo were taken for strokes. Of 20 real paintings resized over two octaves the width follows with a
slope of 0.99 in the median, 0.85 to 1.15 on 13. Shapes: N chords, T parts of the picture, W widths of a grid.
"""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from brushnet.measure.chords import LONGEST_PX, SHORTEST_PX, Chords, chords

Array = NDArray[np.float64]

SMALLEST_PX = 32  # short side of a picture, and of the pyramid's last level: the longest chord must fit in twice
GRAIN_PX = 2.2  # what is finer is noise, canvas or rounding
LARGEST_PIXELS = 2_500_000  # of a level; larger ones are passed over: a gigabyte more, for strokes below 6 px
FEWEST_ACROSS = 4.5  # strokes; wider ones are too few to be told from what is depicted
PARTS = 3  # a side: nine parts of the picture
_BIN_OCTAVES = 1 / 16
_BLUR_OCTAVES = 0.1  # strokes of one brush vary by as much
_SWEET_PX = 6.0  # a level counts for widths from half of that to twice that
_SHARP = 0.2, 0.5  # sharpness at which an edge begins to count, and counts in full; in smooth changes it is below 0.2
_FEW = 100.0  # so many chords of a level are half believed
_PRIOR = 10.0  # so many chords of the whole picture are added to those of a part
# What chords pile up to where there are no strokes of that width, as shares of all chords in a bin. Evenly over four
# octaves they would be 0.016. Near the pixel they are more in every picture, whatever it shows and however it was
# resized: this is about what was found in paintings and noise. A peak counts by what it rises above that.
_BACKGROUND_PX = 3.3, 3.8, 4.5, 6.0, 8.0
_BACKGROUND = 0.034, 0.026, 0.021, 0.017, 0.014
_CLEAR = 0.006  # so far above: strokes of one brush are further, but for the finest bristles; paintings are not
_BINS = round(math.log2(LONGEST_PX / SHORTEST_PX) / _BIN_OCTAVES)  # of a chord's length in pixels of its level
_GRID_W: Array = np.arange(math.log2(SHORTEST_PX), 10, _BIN_OCTAVES)  # log2 of widths in px


class Width(NamedTuple):
    """Of the strokes of a picture. The first two are NaN where there is nothing to measure; `reason` says why.

    `clear` is False where the width hardly stands out, as in most old paintings, whose strokes are of many widths: then
    it may be that of what is depicted.
    """

    stroke_px: float
    spread_px: tuple[float, float]  # 16th and 84th percentile over nine parts of the picture
    octave_profile: list[float]  # shares of the energy in structures 1 to 2 px wide, 2 to 4 px, ...; empty if blank
    reason: str = ""
    clear: bool = True


@torch.inference_mode()
def stroke_width(picture_13HW: Tensor) -> Width:
    """Characteristic stroke width of any picture (1, 3, H, W) in [0, 1], from about 3 px to a fifth of its short side.

    It does not depend on brightness or contrast, and not on flips or quarter turns.
    """
    picture = picture_13HW.detach().float().cpu()
    height, width = picture.shape[-2:]
    profile = octave_profile(picture)
    if min(height, width) < SMALLEST_PX:
        return _nothing(f"smaller than {SMALLEST_PX} px", profile)
    levels = _levels(picture)
    finest_px = levels[0][0]
    if not any(len(found.length_px) for _, found in levels):
        return _nothing("a single colour" if not profile else "no edges, only smooth changes", profile)
    score_TW = _scores(levels)
    whole_W = _harmonic_mean(score_TW)  # strokes are all over a picture, an object's outlines are not
    best = _peak(whole_W, finest_px, min(height, width) / FEWEST_ACROSS)
    if best is None:
        return _nothing("no width stands out", profile)
    stroke_px = _refined_px(whole_W, best)
    if stroke_px < GRAIN_PX * finest_px:
        return _nothing(f"nothing coarser than grain of {stroke_px:.1f} px", profile)
    clear = _rise(whole_W, best, finest_px) >= _CLEAR
    return Width(stroke_px, _spread(score_TW, best), profile, clear=bool(clear))


def octave_profile(picture_13HW: Tensor) -> list[float]:
    """Shares of the picture's energy, which sum to 1, in structures 1 to 2 px wide, 2 to 4 px, and so on.

    From the Laplacian pyramid; the last level, which is the picture's layout, is left out. Empty for a single colour.
    """
    energies: list[float] = []
    levels = _pyramid(picture_13HW, smallest_px=4)
    for fine, coarse in pairwise(levels):
        back = F.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
        energies.append(float((fine - back).square().mean()))
    total = sum(energies)
    return [energy / total for energy in energies] if total > 1e-9 else []


def _nothing(reason: str, profile: list[float]) -> Width:
    return Width(math.nan, (math.nan, math.nan), profile, reason)


def _levels(picture_13HW: Tensor) -> list[tuple[float, Chords]]:
    """Chords of each level, from the finest, and the size of its pixels in px of the picture."""
    pyramid = _pyramid(picture_13HW)
    small = [level for level in pyramid if math.prod(level.shape[-2:]) <= LARGEST_PIXELS]
    pixels = math.prod(picture_13HW.shape[-2:])
    return [(math.sqrt(pixels / math.prod(level.shape[-2:])), chords(level)) for level in small or pyramid[-1:]]


def _pyramid(picture_13HW: Tensor, *, smallest_px: int = SMALLEST_PX) -> list[Tensor]:
    """Halved by averages (of odd sides the middle ones overlap, so that a flipped picture has the same levels)."""
    levels = [picture_13HW]
    while min(levels[-1].shape[-2:]) >= 2 * smallest_px:
        height, width = levels[-1].shape[-2:]
        levels.append(F.adaptive_avg_pool2d(levels[-1], (-(-height // 2), -(-width // 2))))
    return levels


def _scores(levels: list[tuple[float, Chords]]) -> Array:
    """How far chords pile up at each width of the grid, (T, W) for each part of the picture."""
    total_TW, weight_W = np.zeros((PARTS**2, len(_GRID_W))), np.full(len(_GRID_W), 1e-9)
    for number, (scale, found) in enumerate(levels):
        at_W = _GRID_W - math.log2(scale)  # log2 of the widths in this level's pixels
        trust_W = np.clip(1 - np.abs(at_W - math.log2(_SWEET_PX)), 0, 1)
        if number == 0:
            trust_W[at_W < math.log2(_SWEET_PX)] = 1  # no finer level is there
        bins = math.log2(SHORTEST_PX) + _BIN_OCTAVES * (np.arange(_BINS) + 0.5)
        total_TW += trust_W * np.stack([np.interp(at_W, bins, pile, left=0, right=0) for pile in _piles(found)])
        weight_W += trust_W
    return total_TW / weight_W


def _piles(found: Chords) -> Array:
    """Share of a level's chords in each bin of their length, smoothed, (T, bins): those of a part lean on the whole."""
    if len(found.length_px) == 0:
        return np.zeros((PARTS**2, _BINS))
    length, reach, jump, sharpness = (each.double().numpy() for each in found[:4])
    drawn = np.minimum(jump, 2 * np.median(jump))  # a strong outline counts no more than two strokes
    weight = drawn * np.clip((sharpness - _SHARP[0]) / (_SHARP[1] - _SHARP[0]), 0, 1)
    count = _count(weight)
    believed = weight.sum() / drawn.sum() * count / (count + _FEW)
    row, column = (np.minimum((each * PARTS).astype(int), PARTS - 1) for each in found.place.double().numpy().T)
    whole_B = _density(length, reach, weight)
    piles = []
    for part in range(PARTS**2):
        here = row * PARTS + column == part
        own = _count(weight[here])
        piles.append((own * _density(length[here], reach[here], weight[here]) + _PRIOR * whole_B) / (own + _PRIOR))
    return believed * np.stack(piles)


def _count(weight_N: Array) -> float:
    """How many chords of equal weight would be as certain (Kish)."""
    return float(weight_N.sum() ** 2 / max((weight_N**2).sum(), 1e-12))


def _density(length_N: Array, reach_N: Array, weight_N: Array) -> Array:
    """Share of the chords that end in each bin, smoothed; by Kaplan and Meier (1958), as many leave the picture."""
    shortest = math.log2(SHORTEST_PX)
    ended_N = length_N <= reach_N
    last_N = np.log2(np.clip(np.minimum(length_N, reach_N), SHORTEST_PX, LONGEST_PX))
    bin_N = np.minimum(((last_N - shortest) / _BIN_OCTAVES).astype(int), _BINS - 1)
    gone_B = np.bincount(bin_N, weight_N, _BINS)
    ends_B = np.bincount(bin_N[ended_N], weight_N[ended_N], _BINS)
    left_B = gone_B[::-1].cumsum()[::-1]
    hazard_B = ends_B / np.maximum(left_B, 1e-9)
    share_B = hazard_B * np.cumprod(np.concatenate([[1], 1 - hazard_B[:-1]]))
    taps = np.exp(-0.5 * (np.arange(-6, 7) * _BIN_OCTAVES / _BLUR_OCTAVES) ** 2)
    return np.convolve(np.pad(share_B, 6, mode="edge"), taps / taps.sum(), mode="valid")


def _harmonic_mean(score_TW: Array) -> Array:
    """Over the parts, (W,): low where one of them is low."""
    return 1 / (1 / (score_TW + 1e-4)).mean(axis=0)


def _peak(score_W: Array, finest_px: float, largest_px: float) -> int | None:
    """Place of the peak, up to `largest_px`, that rises highest above the background; None where none does.

    `finest_px` is the size of the finest level's pixels.
    """
    inner = score_W[1:-1]
    tops = 1 + ((inner > score_W[:-2]) & (inner >= score_W[2:])).nonzero()[0]
    tops = tops[_GRID_W[tops] <= math.log2(largest_px)]
    rise = _rise(score_W, tops, finest_px)
    return int(tops[rise.argmax()]) if rise.max(initial=0) > 0 else None


def _rise(score_W: Array, place: Any, finest_px: float) -> Any:
    """How far the score at a place, or at several, is above the background."""
    return score_W[place] - np.interp(_GRID_W[place] - math.log2(finest_px), np.log2(_BACKGROUND_PX), _BACKGROUND)


def _refined_px(score_W: Array, top: int) -> float:
    """Width at the top of the parabola through the peak and its neighbours."""
    before, at, after = score_W[top - 1 : top + 2]
    return float(2 ** (_GRID_W[top] + 0.5 * _BIN_OCTAVES * (before - after) / (before - 2 * at + after)))


def _spread(score_TW: Array, best: int) -> tuple[float, float]:
    """Of the widths of the parts, each the highest place within an octave of the whole picture's."""
    octave = round(1 / _BIN_OCTAVES)
    low, high = max(1, best - octave), min(len(_GRID_W) - 1, best + octave + 1)
    found = [2.0 ** _GRID_W[low + int(score_W[low:high].argmax())] for score_W in score_TW if score_W[low:high].any()]
    first, last = np.percentile(found, (16, 84))
    return float(first), float(last)
