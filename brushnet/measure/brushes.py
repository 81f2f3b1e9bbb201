"""Brushes of the painter: what one stroke leaves on the canvas.

A mark gets the place of each pixel of a patch in the stroke's own axes, u along it and v across it, in px (arrays that
broadcast to the patch), and says how much paint lands there, of which colour, and how thick.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from brushnet.errors import UserError

Array = NDArray[np.float32]
_BRISTLES = 9  # across one stroke: at the reference width of 6 px still a visible streak, at 40 px clearly hair
_BANK = 64  # different bristle patterns
_INK = 0.45  # of the photo's light, so that a line stands out from the paper on bright photos too


class Stroke(NamedTuple):
    """Where and how one stroke lies."""

    x: float
    y: float
    angle: float
    curvature_per_px: float
    half_width_px: float
    half_length_px: float
    colour: Array  # (3,)
    second: Array  # (3,) the colour that was on the brush before: its bristles carry some of it
    bristles: int  # row of the bristle bank


class Mark(NamedTuple):
    """Of one stroke, over a patch (h, w)."""

    alpha: Array  # (h, w) in [0, 1], how much of what lay there it covers
    colour: Array  # (h, w, 3) or (3,)
    thickness: Array | float  # (h, w) of the paint, about 1


class Brush(NamedTuple):
    mark: Callable[[Stroke, Array, Array, Array], Mark]  # (stroke, u, v, load of the bristles (across, along))
    widths_long: float  # length of a stroke over its width, unless told otherwise
    coverage: float  # strokes that lie on a pixel on average
    paper: bool = False  # a drawing: white ground, fewer strokes where the photo is bright, no relief


def find(name: str) -> Brush:
    if name not in BRUSHES:
        raise UserError(f"brush must be one of {', '.join(BRUSHES)}, got {name}")
    return BRUSHES[name]


def bristle_bank(stroke_px: float, length_px: float, draws: np.random.Generator) -> Array:
    """Load of paint of each bristle along a stroke, in [0, 1]: (bank, across, along); along is much smoother."""
    across, along = 8 * _BRISTLES, 48
    noise = torch.from_numpy(draws.standard_normal((_BANK, 1, _BRISTLES * 2, 6), dtype=np.float32))
    load = torch.sigmoid(1.8 * F.interpolate(noise, (across, along), mode="bicubic", align_corners=True))
    # Hair finer than a pixel is averaged out, so that a thin stroke looks like a wide one seen from afar.
    size = min(across, max(1, round(2 * stroke_px))), min(along, max(1, round(length_px)))
    return F.interpolate(load, size, mode="bilinear", antialias=True)[:, 0].numpy()


def random_bristles(count: int, draws: np.random.Generator) -> list[int]:
    """Rows of the bank."""
    return draws.integers(0, _BANK, count).tolist()


def _bristle(stroke: Stroke, u: Array, v: Array, load_VU: Array) -> Mark:
    """Streaks along the stroke, ragged ends, paint pushed to the rims."""
    half_width, half_length = stroke.half_width_px, stroke.half_length_px
    across = np.abs(v) / half_width
    load = _sample(load_VU, v / half_width, u / half_length)
    # Bristles lift off at different places: ragged ends, raggeder (drier) at the far one.
    ragged = half_length - np.abs(u) - half_width * (0.9 * load + 0.5 * (u > 0) * load + 0.4 * across * across)
    side = half_width * (0.94 + 0.12 * load) - np.abs(v)
    alpha = np.clip(side + 0.5, 0, 1) * np.clip(ragged / (0.12 * half_width + 1) + 0.5, 0, 1)
    mix = np.clip(1.6 * load - 0.75, 0, 1)[..., None]
    shade = (0.86 + 0.26 * load)[..., None]
    colour = (stroke.colour + mix * (stroke.second - stroke.colour)) * shade
    # Paint is pushed to the rims of the stroke and combed by the bristles.
    rim: Array = np.minimum(across, 1)
    thickness = 0.45 + 0.4 * load + 0.35 * rim**4
    return Mark(alpha, colour, thickness)


def _sample(bank_VU: Array, v: Array, u: Array) -> Array:
    """Bristle load at relative positions in [-1, 1], nearest neighbour."""
    across, along = bank_VU.shape
    rows = np.clip((v + 1) * (across / 2), 0, across - 1).astype(np.int32)
    columns = np.clip((u + 1) * (along / 2), 0, along - 1).astype(np.int32)
    return bank_VU[rows, columns]


def _flat(stroke: Stroke, u: Array, v: Array, load_VU: Array) -> Mark:
    """A palette knife: one colour, straight ends."""
    return Mark(_bar(stroke, u, v), stroke.colour, 0.8)


def _dab(stroke: Stroke, u: Array, v: Array, load_VU: Array) -> Mark:
    """A point, as in pointillism: round or somewhat longer, never shorter than wide, thickest in the middle."""
    radius = np.hypot(v, u * min(1.0, stroke.half_width_px / stroke.half_length_px))
    alpha = np.clip(stroke.half_width_px - radius + 0.5, 0, 1)
    return Mark(alpha, stroke.colour, 1 - 0.4 * np.minimum(radius / stroke.half_width_px, 1) ** 2)


def _pen(stroke: Stroke, u: Array, v: Array, load_VU: Array) -> Mark:
    """A line of ink."""
    return Mark(_bar(stroke, u, v), _INK * stroke.colour, 0.0)


def _bar(stroke: Stroke, u: Array, v: Array) -> Array:
    side: Array = np.clip(stroke.half_width_px - np.abs(v) + 0.5, 0, 1)
    end: Array = np.clip(stroke.half_length_px - np.abs(u) + 0.5, 0, 1)
    return side * end


BRUSHES = {
    "bristle": Brush(_bristle, widths_long=4.5, coverage=4.0),
    "flat": Brush(_flat, widths_long=4.5, coverage=4.0),
    "dab": Brush(_dab, widths_long=1.0, coverage=4.0),
    "pen": Brush(_pen, widths_long=12.0, coverage=0.5, paper=True),
}
