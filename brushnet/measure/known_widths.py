"""Pictures whose stroke width is known and that no painter made: bars, blocks, discs, curves and stripes.

A meter that is tried on one painter's strokes alone learns that painter. These have nothing in common with it but a
width. Shapes: (H, W, 3) arrays in [0, 1], from the back to the front.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from brushnet import images, seeds

Array = NDArray[np.float32]
_FINER = 3  # times finer than the picture, then averaged
_LAYERS = 6.0  # shapes that lie on each pixel on average
_CONTRAST = 0.3  # at least, in one colour channel, where there are only two colours


def known_width(kind: str, size_px: int, *, stroke_px: float, seed: int = 0, antialiased: bool = True) -> Tensor:
    """Square picture (1, 3, size_px, size_px) in [0, 1] of shapes that are `stroke_px` wide; `kind` is one of KINDS."""
    draws = seeds.rng(seed, f"known width/{kind}")
    finer = _FINER if antialiased else 1
    picture_HW3 = KINDS[kind](size_px * finer, stroke_px * finer, draws)
    picture = torch.from_numpy(picture_HW3).permute(2, 0, 1)[None]
    return images.resize(picture, size_px, size_px).clamp(0, 1).contiguous()


def _bars(size_px: int, stroke_px: float, draws: np.random.Generator) -> Array:
    return _oblongs(size_px, stroke_px, (4, 8), draws)


def _blocks(size_px: int, stroke_px: float, draws: np.random.Generator) -> Array:
    return _oblongs(size_px, stroke_px, (1.5, 3), draws)


def _oblongs(size_px: int, stroke_px: float, widths_long: tuple[float, float], draws: np.random.Generator) -> Array:
    """Opaque, in all directions and colours, one over the other."""
    canvas = _ground(size_px, draws)
    for _ in range(_shapes(size_px, stroke_px, sum(widths_long) / 2)):
        angle, half_length = draws.uniform(0, math.pi), stroke_px / 2 * draws.uniform(*widths_long)

        def inside(dx: Array, dy: Array, angle: float = angle, half_length: float = half_length) -> NDArray[np.bool_]:
            along = dx * math.cos(angle) + dy * math.sin(angle)
            across = dy * math.cos(angle) - dx * math.sin(angle)
            return (np.abs(along) < half_length) & (np.abs(across) < stroke_px / 2)

        _lay(canvas, inside, math.hypot(half_length, stroke_px / 2), draws)
    return canvas


def _discs(size_px: int, stroke_px: float, draws: np.random.Generator) -> Array:
    """Dead leaves: opaque, of all colours, one over the other."""
    canvas = _ground(size_px, draws)
    for _ in range(_shapes(size_px, stroke_px, math.pi / 4)):
        _lay(canvas, lambda dx, dy: dx * dx + dy * dy < stroke_px**2 / 4, stroke_px / 2, draws)
    return canvas


def _curves(size_px: int, stroke_px: float, draws: np.random.Generator) -> Array:
    """Arcs on a ground of one colour."""
    canvas = _ground(size_px, draws)
    ground = canvas[0, 0].copy()
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    for _ in range(max(3, round(size_px / (5 * stroke_px)))):
        angle, radius = draws.uniform(0, 2 * math.pi), size_px * draws.uniform(0.4, 1.5)
        shift = draws.uniform(-0.4, 0.4, 2) * size_px + size_px / 2
        distance = np.hypot(x - shift[0] - radius * math.cos(angle), y - shift[1] - radius * math.sin(angle))
        canvas[np.abs(distance - radius) < stroke_px / 2] = _other_colour(ground, draws)
    return canvas


def _stripes(size_px: int, stroke_px: float, draws: np.random.Generator) -> Array:
    """Two colours by turns, in sixteen patches of different direction."""
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    middles = draws.uniform(0, size_px, (16, 2))
    patch = np.stack([(x - a) ** 2 + (y - b) ** 2 for a, b in middles]).argmin(axis=0)
    angle, phase = draws.uniform(0, math.pi, 16)[patch], draws.uniform(0, 2 * stroke_px, 16)[patch]
    first = draws.uniform(0, 1, 3).astype(np.float32)
    colours = np.stack([first, _other_colour(first, draws)])
    return colours[((x * np.cos(angle) + y * np.sin(angle) + phase) % (2 * stroke_px) < stroke_px).astype(int)]


def _ground(size_px: int, draws: np.random.Generator) -> Array:
    return np.tile(draws.uniform(0, 1, 3).astype(np.float32), (size_px, size_px, 1))


def _shapes(size_px: int, stroke_px: float, area_in_widths: float) -> int:
    """How many cover the canvas and a rim about it."""
    return round(_LAYERS * (size_px + 4 * stroke_px) ** 2 / (area_in_widths * stroke_px**2))


def _lay(
    canvas: Array, inside: Callable[[Array, Array], NDArray[np.bool_]], reach_px: float, draws: np.random.Generator
) -> None:
    """One shape of a random colour at a random place, in place."""
    size_px = len(canvas)
    x, y = draws.uniform(-2 * reach_px, size_px + 2 * reach_px, 2)
    colour = draws.uniform(0, 1, 3).astype(np.float32)
    left, top = (max(0, int(place - reach_px)) for place in (x, y))
    right, bottom = (min(size_px, int(place + reach_px) + 2) for place in (x, y))
    if left >= right or top >= bottom:
        return
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    canvas[top:bottom, left:right][inside(columns + np.float32(0.5 - x), rows + np.float32(0.5 - y))] = colour


def _other_colour(colour: Array, draws: np.random.Generator) -> Array:
    while True:
        other = draws.uniform(0, 1, 3).astype(np.float32)
        if np.abs(other - colour).max() > _CONTRAST:
            return other


KINDS = {"bars": _bars, "blocks": _blocks, "discs": _discs, "curves": _curves, "stripes": _stripes}
