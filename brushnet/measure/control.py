"""Control curve: which stroke scale a painter (a model, any callable) paints when it is asked for one."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from brushnet import images
from brushnet.errors import UserError
from brushnet.measure.matched import PaintingStatistics, matched_octaves

Paint = Callable[[Tensor, float], Tensor]  # (photo (1, 3, H, W), stroke scale) -> picture (1, 3, H, W)


class Row(NamedTuple):
    """One photo painted at one scale; `matched_octaves` and `distance` are NaN where nothing can be measured."""

    photo: str
    requested_octaves: float
    matched_octaves: float
    distance: float


class Summary(NamedTuple):
    """Over the rows that could be measured; NaN where there are too few of them."""

    slope: float  # of matched on requested octaves: 1 is full control, 0 none
    mean_absolute_error_octaves: float
    spread_over_photos_octaves: float  # standard deviation over photos at one requested scale, the mean over scales
    unmeasured: int  # rows without a matched scale


def some_photos(folder: Path, count: int) -> list[Path]:
    """At most `count` pictures, evenly over the folder: neighbours in the alphabet are often alike.

    UserError where there is none.
    """
    files = images.list_images(folder)
    if not files or count < 1:
        raise UserError(f"--content {folder} --photos {count}: at least one photo is needed")
    count = min(count, len(files))
    return [files[len(files) * place // count] for place in range(count)]


def control_curve(
    paint: Paint, photos: Mapping[str, Tensor], *, strokes: Sequence[float], painting: PaintingStatistics
) -> list[Row]:
    """Rows photo by photo, in the order of `strokes`; photos (1, 3, H, W) by name."""
    return [
        Row(name, math.log2(stroke), *matched_octaves(paint(photo, stroke), painting))
        for name, photo in photos.items()
        for stroke in strokes
    ]


def summarise(rows: Sequence[Row]) -> Summary:
    measured = [row for row in rows if not math.isnan(row.matched_octaves)]
    requested = np.array([row.requested_octaves for row in measured])
    matched = np.array([row.matched_octaves for row in measured])
    groups = [matched[requested == scale] for scale in np.unique(requested)]
    spreads = [float(group.std(ddof=1)) for group in groups if len(group) > 1]
    return Summary(
        slope=_slope(requested, matched),
        mean_absolute_error_octaves=float(np.abs(matched - requested).mean()) if measured else math.nan,
        spread_over_photos_octaves=float(np.mean(spreads)) if spreads else math.nan,
        unmeasured=len(rows) - len(measured),
    )


def _slope(requested: np.ndarray, matched: np.ndarray) -> float:
    """Of the least-squares line; NaN unless there are two different requests."""
    if len(np.unique(requested)) < 2:
        return math.nan
    centred = requested - requested.mean()
    return float(centred @ matched / (centred @ centred))
