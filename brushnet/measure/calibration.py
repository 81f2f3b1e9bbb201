"""Calibration of the stroke width meter: how far it is off on pictures whose stroke width is known."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from brushnet import images
from brushnet.measure.brushes import BRUSHES
from brushnet.measure.known_widths import KINDS, known_width
from brushnet.measure.painter import noise_photo, paint
from brushnet.measure.width import stroke_width

WIDTHS_PX = (3.0, 4.2, 6.0, 8.5, 12.0, 17.0, 24.0, 34.0, 48.0)
SIZES_PX = (256, 512, 1024)
QUICK_WIDTHS_PX, QUICK_SIZES_PX = (3.0, 7.0, 16.0, 40.0), (320,)
FEWEST_STROKES = 5  # across the picture: of fewer there is no statistic
TOLERANCE = 0.15

Progress = Callable[[int, int, str], None]  # done, in all, what


class Known(NamedTuple):
    kind: str  # a brush of the painter, or of `known_widths`
    stroke_px: float
    size_px: int
    ground: str  # what was painted, or how the edges were drawn
    draw: Callable[[], Tensor]


class Row(NamedTuple):
    """One picture measured; `measured_px` is NaN where the meter found nothing."""

    kind: str
    ground: str
    size_px: int
    stroke_px: float
    measured_px: float

    @property
    def error(self) -> float:
        """|measured / true - 1|; infinite where nothing was found."""
        error = abs(self.measured_px / self.stroke_px - 1)
        return error if np.isfinite(error) else np.inf


class Summary(NamedTuple):
    kind: str
    pictures: int
    median_error: float
    worst_error: float
    within_tolerance: float  # share


def known_pictures(photos: dict[str, Tensor], *, quick: bool) -> Iterator[Known]:
    """Every kind at every width and size; photos (and noise) and kinds of edges take turns. `photos` (1, 3, H, W)."""
    grounds = ["noise", *photos]
    for size_px in QUICK_SIZES_PX if quick else SIZES_PX:
        for number, stroke_px in enumerate(QUICK_WIDTHS_PX if quick else WIDTHS_PX):
            if stroke_px * FEWEST_STROKES > size_px:
                continue
            for place, brush in enumerate(BRUSHES):
                ground = grounds[(number + place) % len(grounds)]
                yield Known(brush, stroke_px, size_px, ground, _painted(photos, ground, brush, stroke_px, size_px))
            for place, kind in enumerate(KINDS):
                smooth = (number + place) % 2 == 0
                name = "antialiased" if smooth else "hard"
                yield Known(kind, stroke_px, size_px, name, _drawn(kind, stroke_px, size_px, smooth))


def _painted(
    photos: dict[str, Tensor], ground: str, brush: str, stroke_px: float, size_px: int
) -> Callable[[], Tensor]:
    def draw() -> Tensor:
        if ground == "noise":
            photo = noise_photo(size_px, size_px, seed=round(10 * stroke_px))
        else:
            photo = images.resize_short_side(photos[ground], size_px)[..., :size_px, :size_px]
        return paint(photo, stroke_px=stroke_px, brush=brush, seed=round(10 * stroke_px))

    return draw


def _drawn(kind: str, stroke_px: float, size_px: int, antialiased: bool) -> Callable[[], Tensor]:
    return lambda: known_width(kind, size_px, stroke_px=stroke_px, seed=round(10 * stroke_px), antialiased=antialiased)


def calibrate_width(pictures: Sequence[Known], *, progress: Progress | None = None) -> list[Row]:
    rows = []
    for number, known in enumerate(pictures, start=1):
        measured = stroke_width(known.draw()).stroke_px
        rows.append(Row(known.kind, known.ground, known.size_px, known.stroke_px, measured))
        if progress:
            progress(number, len(pictures), f"{known.kind} {known.stroke_px:g} px")
    return rows


def summarise(rows: Sequence[Row]) -> list[Summary]:
    """One for each kind, and `all` last."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    groups = [(kind, [row.error for row in rows if row.kind == kind]) for kind in kinds]
    return [_summary(kind, errors) for kind, errors in [*groups, ("all", [row.error for row in rows])]]


def _summary(kind: str, errors: Sequence[float]) -> Summary:
    within = sum(error <= TOLERANCE for error in errors) / len(errors)
    return Summary(kind, len(errors), float(np.median(errors)), max(errors), within)
