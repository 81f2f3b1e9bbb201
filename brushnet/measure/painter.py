"""A stroke painter: ground truth for everything that measures or trains stroke scale.

It covers a photo (or noise) with oriented, slightly raised strokes of one known width, in painter's order, along the
flow of the photo. Shapes: N strokes, H height, W width; u runs along a stroke, v across it, both in px.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from brushnet import images, seeds
from brushnet.errors import UserError
from brushnet.measure import brushes
from brushnet.measure.brushes import Brush, Stroke
from brushnet.measure.flow import blur, brush_flow, gradient, swirls

Array = NDArray[np.float32]
# Painted finer and resized like S_s: painted directly, strokes have up to 2.7 times the energy in the finest octave
# that shrunken strokes of the same width have, and would be no ground truth for them.
_SUPERSAMPLING = 2
_PAPER = (0.96, 0.95, 0.92)


def paint(
    photo_13HW: Tensor,
    *,
    stroke_px: float,
    length_px: float | None = None,
    seed: int = 0,
    brush: str = "bristle",
    coverage: float | None = None,
    colour_jitter: float = 0.07,
    vividness: float = 1.25,
    relief: float = 0.55,
) -> Tensor:
    """Painting of the photo, of the same size, (1, 3, H, W) in [0, 1]. The same arguments give the same picture.

    `stroke_px` is the width of a stroke, `length_px` its length (by default 4.5 widths, of a dab 1, of a pen 12); both
    vary by about a tenth and a third. `coverage` is how many strokes lie on each pixel on average (4, of a pen 0.5).
    `brush`: `bristle` (streaky, ragged), `flat` (hard-edged, one colour), `dab` (round points) or `pen` (lines of ink,
    paper between). UserError for another one, and for a width below 1 px or above 1000.
    """
    tool = brushes.find(brush)
    if not 1 <= stroke_px <= 1000:
        raise UserError(f"stroke_px must be between 1 and 1000, got {stroke_px}")
    height, width = photo_13HW.shape[-2:]
    photo = _vivid(photo_13HW.detach().float().cpu(), vividness)
    fine = images.resize(photo, height * _SUPERSAMPLING, width * _SUPERSAMPLING)
    stroke_px, length_px = stroke_px * _SUPERSAMPLING, (length_px or tool.widths_long * stroke_px) * _SUPERSAMPLING
    draws = seeds.rng(seed, "painter")
    strokes = _plan(fine, stroke_px, length_px, coverage or tool.coverage, colour_jitter, draws)
    bank = brushes.bristle_bank(stroke_px, length_px, draws)
    if tool.paper:
        strokes = _fewer_where_bright(strokes, draws)
    colour_HW3, thickness_HW = _lay(_ground(fine, stroke_px, tool), strokes, tool, bank)
    lit = _light(colour_HW3, thickness_HW, stroke_px=stroke_px, relief=0.0 if tool.paper else relief)
    return images.resize(lit, height, width)


def noise_photo(height: int, width: int, *, seed: int = 0, feature_px: float | None = None) -> Tensor:
    """A photo of nothing, to paint on: smooth coloured noise (1, 3, H, W) in [0, 1].

    Blobs of about `feature_px`, a quarter of the short side by default.
    """
    feature_px = feature_px or max(1.0, min(height, width) / 4)
    channels = [
        swirls(height, width, feature_px=feature_px, draws=seeds.rng(seed, "noise photo", channel))[:, :1]
        for channel in range(3)
    ]
    return (0.5 + 0.2 * torch.cat(channels, dim=1)).clamp(0, 1)


def _ground(photo_13HW: Tensor, stroke_px: float, brush: Brush) -> Array:
    """What shows where no stroke lies, (H, W, 3)."""
    height, width = photo_13HW.shape[-2:]
    if brush.paper:
        return np.tile(np.array(_PAPER, dtype=np.float32), (height, width, 1))
    # A toned ground, as painters use: it shows through at the few spots that no stroke covers.
    return (0.75 * blur(photo_13HW, stroke_px))[0].permute(1, 2, 0).numpy().copy()


def _vivid(photo_13HW: Tensor, vividness: float) -> Tensor:
    grey = photo_13HW.mean(dim=1, keepdim=True)
    return (grey + vividness * (photo_13HW - grey)).clamp(0, 1)


def _plan(
    photo: Tensor,
    stroke_px: float,
    length_px: float,
    coverage: float,
    colour_jitter: float,
    draws: np.random.Generator,
) -> list[Stroke]:
    """Strokes on a jittered grid (no holes, unlike free draws), in random order, which is the order of painting."""
    height, width = photo.shape[-2:]
    swirl = swirls(height, width, feature_px=min(10 * stroke_px, max(height, width) / 2), draws=draws)
    flow = brush_flow(photo, smooth_px=min(1.2 * stroke_px, max(height, width) / 4), swirl_13HW=swirl)
    spacing = max(1.0, float(np.sqrt(stroke_px * length_px / coverage)))
    n_rows, n_columns = int(np.ceil(height / spacing)) + 2, int(np.ceil(width / spacing)) + 2
    grid = np.stack(np.meshgrid(np.arange(n_columns), np.arange(n_rows)), axis=-1).reshape(-1, 2) - 0.5
    centre = (grid + draws.uniform(-0.6, 0.6, grid.shape)) * spacing
    centre = centre[draws.permutation(len(centre))].astype(np.float32)
    n = len(centre)
    column = np.clip(centre[:, 0].round().astype(int), 0, width - 1)
    row = np.clip(centre[:, 1].round().astype(int), 0, height - 1)
    # The mean over the brush, not one pixel: fine detail of the photo must not decide a stroke's colour.
    seen = blur(photo, 0.3 * stroke_px)[0].permute(1, 2, 0).numpy()[row, column]
    limit = min(0.9 / stroke_px, 1.1 / length_px)  # a stroke turns by at most about a radian, and never folds over
    columns = (
        centre[:, 0],
        centre[:, 1],
        flow.angle[row, column] + draws.normal(0, 0.12, n) + np.pi * draws.integers(0, 2, n),
        np.clip(flow.curvature_per_px[row, column], -limit, limit),
        stroke_px / 2 * draws.uniform(0.88, 1.12, n),
        length_px / 2 * draws.uniform(0.65, 1.35, n),
    )
    numbers = (values.astype(float).tolist() for values in columns)  # Python floats: float32 arrays stay float32
    colours = _jitter(seen, colour_jitter, draws), _jitter(seen, 2.2 * colour_jitter, draws)
    bristles = brushes.random_bristles(n, draws)
    return [Stroke(*values) for values in zip(*numbers, *colours, bristles, strict=True)]


def _fewer_where_bright(strokes: list[Stroke], draws: np.random.Generator) -> list[Stroke]:
    """All where the photo is black, a third where it is white: hatching says light and dark by its density."""
    kept = draws.uniform(0, 1.5, len(strokes)).tolist()
    return [stroke for stroke, draw in zip(strokes, kept, strict=True) if draw > float(stroke.colour.mean())]


def _jitter(colour_N3: Array, amount: float, draws: np.random.Generator) -> Array:
    """Lighter or darker, warmer or cooler, greener or redder: along the axes in which paint is mixed."""
    axes = np.array([[1, 1, 1], [0.7, 0, -0.7], [-0.3, 0.6, -0.3]], dtype=np.float32)
    shift = draws.normal(0, amount, (len(colour_N3), 3)).astype(np.float32) @ axes
    # Less at black and white, where the same step looks larger or would be clipped.
    grey = colour_N3.mean(axis=1, keepdims=True)
    return np.clip(colour_N3 + shift * (0.35 + 2.6 * grey * (1 - grey)), 0.02, 0.98)


def _lay(canvas_HW3: Array, strokes: list[Stroke], brush: Brush, bank: Array) -> tuple[Array, Array]:
    """Paint stroke over stroke. Returns the colours (H, W, 3) and the thickness of the paint (H, W)."""
    thickness_HW = np.zeros(canvas_HW3.shape[:2], dtype=np.float32)
    for stroke in strokes:
        _lay_one(canvas_HW3, thickness_HW, stroke, brush, bank[stroke.bristles])
    return canvas_HW3, thickness_HW


def _lay_one(canvas_HW3: Array, thickness_HW: Array, stroke: Stroke, brush: Brush, load_VU: Array) -> None:
    """One stroke, blended into the canvas and the thickness in place."""
    cos, sin = math.cos(stroke.angle), math.sin(stroke.angle)
    patch = _box(stroke, cos, sin, *thickness_HW.shape)
    if patch is None:
        return
    rows, columns = patch
    dx = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - np.float32(stroke.x)
    dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(stroke.y)
    u: Array = dx * cos + dy * sin
    v: Array = dy * cos - dx * sin - (0.5 * stroke.curvature_per_px) * u * u
    alpha, colour, thickness = brush.mark(stroke, u, v, load_VU)
    canvas_HW3[patch] += alpha[..., None] * (colour - canvas_HW3[patch])
    thickness_HW[patch] += alpha * (thickness - thickness_HW[patch])


def _box(stroke: Stroke, cos: float, sin: float, height: int, width: int) -> tuple[slice, slice] | None:
    """Rows and columns that the stroke may touch; None where it lies outside the picture."""
    along = stroke.half_length_px + 1
    # The bend leaves the straight box sideways by curvature * length^2 / 2.
    across = stroke.half_width_px + 1 + 0.5 * abs(stroke.curvature_per_px) * along**2
    reach_x = abs(cos) * along + abs(sin) * across
    reach_y = abs(sin) * along + abs(cos) * across
    left, right = max(0, int(stroke.x - reach_x)), min(width, int(stroke.x + reach_x) + 2)
    top, bottom = max(0, int(stroke.y - reach_y)), min(height, int(stroke.y + reach_y) + 2)
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def _light(colour_HW3: Array, thickness_HW: Array, *, stroke_px: float, relief: float) -> Tensor:
    """Impasto: light from the upper left on the thickness of the paint."""
    thickness = blur(torch.from_numpy(thickness_HW)[None, None], 0.045 * stroke_px)
    dx, dy = gradient(thickness)
    # Slopes are per px; the paint of a wide stroke is thicker, so that the look does not depend on the width.
    slope = (-(dx + dy) * 0.1 * stroke_px).clamp(-0.5, 0.5) * relief
    image = torch.from_numpy(colour_HW3).permute(2, 0, 1)[None].contiguous()
    return (image * (1 + slope) + 0.25 * slope.clamp(min=0)).clamp(0, 1)
