"""Calibration of the matched scale: how far it is off on pictures whose stroke scale is known.

Rescaled paintings, parts of them, and parts that were changed in what must not matter; and other photos than the
painting's, painted with the same strokes, larger or smaller, as a style model's pictures are.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from brushnet import images, seeds
from brushnet.measure.matched import matched_octaves, painting_statistics
from brushnet.measure.painter import paint
from brushnet.measure.texture import Texture
from brushnet.strokes import Painting

SMALLEST_PX = 96  # short side of what is measured
AREA = 0.25, 0.6  # of a part, share of each picture's height and width squared
STROKES_PX, PAINTED_PX, PHOTO_PX = (14.0, 24.0), 640, 384  # of the painted paintings, and of the other photos
PAINTED_OCTAVES = (-1.0, -0.5, 0.0, 0.5, 1.0)
REFERENCE_PX = 256

CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "brighter": lambda picture: (picture + 0.1).clamp(0, 1),
    "darker": lambda picture: (picture - 0.1).clamp(0, 1),
    "less contrast": lambda picture: 0.5 + 0.6 * (picture - 0.5),
    "more contrast": lambda picture: (0.5 + 1.3 * (picture - 0.5)).clamp(0, 1),
    "mirrored": lambda picture: picture.flip(-1),
    "turned": lambda picture: picture.rot90(dims=(-2, -1)),
}
KINDS = ("whole", "part", "changed part", "other photo")

Progress = Callable[[int, int, str], None]  # done, in all, what


class Row(NamedTuple):
    """One picture measured; `measured` is NaN where nothing was found."""

    kind: str
    painting: str
    octaves: float
    measured: float
    inside: bool  # the truth lies within the confidence

    @property
    def error(self) -> float:
        """In octaves; infinite where nothing was found."""
        error = abs(self.measured - self.octaves)
        return error if math.isfinite(error) else math.inf


class Summary(NamedTuple):
    kind: str
    pictures: int
    median_error: float
    mean_error: float
    worst_error: float
    within_015: float  # share of errors up to 0.15 octave
    inside_confidence: float  # share


def calibrate_matched(
    paintings: Mapping[str, Tensor],
    texture: Texture,
    *,
    photos: Sequence[Tensor],
    each: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Row]:
    """`each` pictures of each kind of each painting (uint8 (3, H, W) by name), and the painted ones.

    A painting is made of the first of `photos` (1, 3, H, W), two at least, and pictures of the others in turn.
    """
    rows: list[Row] = []
    for number, (name, pixels) in enumerate(paintings.items(), start=1):
        painting = Painting(pixels, name=name, reference_px=REFERENCE_PX)
        rows += _measured(painting, texture, _rescaled(painting, each, seeds.rng(seed, "calibration", number)))
        if progress:
            progress(number, len(paintings) + len(STROKES_PX), name)
    for number, stroke_px in enumerate(STROKES_PX, start=1):
        painting = _painted(stroke_px, photos[0])
        rows += _measured(painting, texture, _other_photos(stroke_px, photos[1:]))
        if progress:
            progress(len(paintings) + number, len(paintings) + len(STROKES_PX), painting.name)
    return rows


def summarise(rows: Sequence[Row]) -> list[Summary]:
    """One for each kind that occurs."""
    groups = [(kind, [row for row in rows if row.kind == kind]) for kind in KINDS]
    return [_summary(kind, group) for kind, group in groups if group]


def _summary(kind: str, rows: Sequence[Row]) -> Summary:
    errors = np.array([row.error for row in rows])
    inside = float(np.mean([row.inside for row in rows]))
    figures = float(np.median(errors)), float(errors.mean()), float(errors.max()), float((errors <= 0.15).mean())
    return Summary(kind, len(rows), *figures, inside)


def _measured(painting: Painting, texture: Texture, pictures: Iterator[tuple[str, float, Tensor]]) -> list[Row]:
    statistics = painting_statistics(painting, texture=texture)
    rows = []
    for kind, octaves, picture in pictures:
        match = matched_octaves(picture, statistics)
        rows.append(Row(kind, painting.name, octaves, match.octaves, match.low <= octaves <= match.high))
    return rows


def _rescaled(painting: Painting, each: int, draws: np.random.Generator) -> Iterator[tuple[str, float, Tensor]]:
    """Kind, log2 s and picture, from a short side of 96 px up to the painting's own size."""
    highest = math.log2(painting.largest_scale)
    for kind in KINDS[:3]:
        for number in range(each):
            shares = (1.0, 1.0) if kind == "whole" else np.sqrt(draws.uniform(*AREA, 2)).tolist()
            lowest = min(highest, math.log2(SMALLEST_PX / min(shares) / painting.reference_px))
            octaves = draws.uniform(lowest, highest)
            picture = _part(_resized(painting, octaves, smooth=number % 2 == 0), shares, draws)
            if kind == "changed part":
                picture = list(CHANGES.values())[draws.integers(len(CHANGES))](picture)
            yield kind, octaves, picture


def _resized(painting: Painting, octaves: float, *, smooth: bool) -> Tensor:
    """S_s, or with another filter than S_s has: pictures come from other programs."""
    if smooth:
        return painting.render(2.0**octaves)
    factor = 2.0**octaves / painting.largest_scale
    size = [round(side * factor) for side in painting.pixels.shape[-2:]]
    whole = images.to_float(painting.pixels)[None]
    return F.interpolate(whole, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _part(picture: Tensor, shares: Sequence[float], draws: np.random.Generator) -> Tensor:
    sides = [round(side * share) for side, share in zip(picture.shape[-2:], shares, strict=True)]
    top, left = (int(draws.integers(whole - side + 1)) for whole, side in zip(picture.shape[-2:], sides, strict=True))
    return picture[..., top : top + sides[0], left : left + sides[1]]


def _painted(stroke_px: float, photo: Tensor) -> Painting:
    painted = paint(images.resize_short_side(photo, PAINTED_PX), stroke_px=stroke_px, seed=0)
    return Painting(images.to_uint8(painted[0]), name=f"strokes of {stroke_px:g} px", reference_px=REFERENCE_PX)


def _other_photos(stroke_px: float, photos: Sequence[Tensor]) -> Iterator[tuple[str, float, Tensor]]:
    at_reference_px = stroke_px * REFERENCE_PX / PAINTED_PX
    for number, octaves in enumerate(PAINTED_OCTAVES):
        photo = images.resize_short_side(photos[number % len(photos)], PHOTO_PX)
        yield "other photo", octaves, paint(photo, stroke_px=at_reference_px * 2**octaves, seed=number)
