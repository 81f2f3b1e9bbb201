"""What a control curve comes to: slope, error, rank, usable range, spread and drifts.

All scales are in octaves, log2 of the stroke scale. Figures are NaN where there is nothing to measure.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brushnet.measure.control import Row
from brushnet.measure.ranks import spearman

USABLE_ERROR_OCTAVES = 0.25
NO_ENDS = (-math.inf, math.inf)  # of what an encoder can tell
END_OCTAVES = 1e-6


class Point(NamedTuple):
    """One request, over photos: mean and standard deviation (0 for a single photo) of the measured scale."""

    requested_octaves: float
    mean_octaves: float
    deviation_octaves: float
    seen: bool


class Summary(NamedTuple):
    """Over the rows that could be measured; NaN where there are too few of them."""

    slope: float  # of matched on requested octaves: 1 is full control, 0 none
    mean_absolute_error_octaves: float
    unseen_error_octaves: float  # the same over the requests outside the trained range alone
    spearman: float  # see `rank_correlation`: 1 where a larger request always paints larger strokes
    usable_octaves: float  # see `usable_range`; from and to are its ends
    usable_from_octaves: float
    usable_to_octaves: float
    spread_over_photos_octaves: float  # standard deviation over photos at one requested scale, the mean over scales
    unmeasured: int  # rows without a matched scale


def mean_curve(rows: Sequence[Row], *, encoder: str) -> list[Point]:
    """One point for each request that could be measured, in rising order."""
    points = []
    for requested, group in _by_request(rows, encoder).items():
        matched = np.array([row.matched_octaves(encoder) for row in group])
        deviation = float(matched.std(ddof=1)) if len(group) > 1 else 0.0
        points.append(Point(requested, float(matched.mean()), deviation, all(row.seen for row in group)))
    return points


def summarise(rows: Sequence[Row], *, encoder: str, tells_octaves: tuple[float, float] = NO_ENDS) -> Summary:
    """What one encoder found of one system; `tells_octaves` are the smallest and the largest scale that it can tell."""
    measured = _measured(rows, encoder)
    requested = np.array([row.requested_octaves for row in measured])
    matched = np.array([row.matched_octaves(encoder) for row in measured])
    errors = np.abs(matched - requested)
    unseen = errors[[not row.seen for row in measured]] if measured else errors
    usable = usable_range(rows, encoder=encoder, tells_octaves=tells_octaves)
    return Summary(
        slope=_slope(requested, matched),
        mean_absolute_error_octaves=_mean(errors),
        unseen_error_octaves=_mean(unseen),
        spearman=rank_correlation(rows, encoder=encoder),
        usable_octaves=usable[1] - usable[0] if usable else 0.0,
        usable_from_octaves=usable[0] if usable else math.nan,
        usable_to_octaves=usable[1] if usable else math.nan,
        spread_over_photos_octaves=_mean(_spreads(requested, matched)),
        unmeasured=len(rows) - len(measured),
    )


def rank_correlation(rows: Sequence[Row], *, encoder: str) -> float:
    """Spearman's rank correlation of matched and requested octaves of each photo, the mean over photos.

    Within a photo, since requests are the same in all of them: pooled, no painter whose photos differ could reach 1.
    A photo whose strokes never change counts as 0. NaN without a photo that was measured at two requests.
    """
    photos: dict[str, list[Row]] = {}
    for row in _measured(rows, encoder):
        photos.setdefault(row.photo, []).append(row)
    found = [_photo_rank_correlation(group, encoder) for group in photos.values()]
    return _mean(np.array([each for each in found if not math.isnan(each)]))


def usable_range(
    rows: Sequence[Row], *, encoder: str, tells_octaves: tuple[float, float] = NO_ENDS
) -> tuple[float, float] | None:
    """Ends, in requested octaves, of the longest run of neighbouring requests over which the stroke can be relied on.

    That is: the mean over photos of the absolute error is at most USABLE_ERROR_OCTAVES, 0.25 octave, at each request of
    the run, and the mean measured scale rises from each to the next. A request with a reading at an end of
    `tells_octaves`, what the encoder can tell, is not met: that error is at least so large. None where no request is
    met; one that is met alone is a run of length 0.
    """
    best: tuple[float, float] | None = None
    start: float | None = None
    before = -math.inf
    for requested, group in _by_request(rows, encoder).items():
        matched = np.array([row.matched_octaves(encoder) for row in group])
        clipped = any(at_end(octaves, tells_octaves) for octaves in matched)
        if clipped or np.abs(matched - requested).mean() > USABLE_ERROR_OCTAVES:
            start = None
        elif start is None or matched.mean() <= before:
            start = requested
        before = float(matched.mean())
        if start is not None and (best is None or requested - start > best[1] - best[0]):
            best = (start, requested)
    return best


def at_end(octaves: float, tells_octaves: tuple[float, float]) -> bool:
    """Whether a reading lies at an end of what the encoder can tell: the strokes are at most, or at least, so large."""
    low, high = tells_octaves
    return octaves <= low + END_OCTAVES or octaves >= high - END_OCTAVES


def resolution_drift(rows: Sequence[Row], reference: Sequence[Row], *, encoder: str) -> float:
    """How far the strokes are from those at another resolution, in octaves: mean over requests of the absolute shift.

    A shift is the mean over the photos that were measured at both resolutions. NaN where there are none.
    """
    there = {(row.photo, row.stroke): row.matched_octaves(encoder) for row in _measured(reference, encoder)}
    shifts: dict[float, list[float]] = {}
    for row in _measured(rows, encoder):
        if (pair := (row.photo, row.stroke)) in there:
            shifts.setdefault(row.stroke, []).append(row.matched_octaves(encoder) - there[pair])
    return _mean(np.array([abs(np.mean(group)) for group in shifts.values()]))


def level_and_drift(rows: Sequence[Row], figure: str) -> tuple[float, float]:
    """A figure's mean over all rows, and how much it changes with the request.

    The drift is the largest difference between two requests, each the mean over the photos that have the figure at
    both: 0 where changing the stroke changes nothing else. NaN where no photo has it at two requests, and the mean
    where none has it at all.
    """
    groups: dict[float, dict[str, float]] = {}
    for row in rows:
        if not math.isnan(value := row.figures.get(figure, math.nan)):
            groups.setdefault(row.stroke, {})[row.photo] = value
    differences = [
        abs(_mean(np.array([one[photo] - other[photo] for photo in one.keys() & other.keys()])))
        for one, other in itertools.combinations(groups.values(), 2)
        if one.keys() & other.keys()
    ]
    every = np.array([value for group in groups.values() for value in group.values()])
    return _mean(every), max(differences, default=math.nan)


def _measured(rows: Sequence[Row], encoder: str) -> list[Row]:
    return [row for row in rows if not math.isnan(row.matched_octaves(encoder))]


def _by_request(rows: Sequence[Row], encoder: str) -> dict[float, list[Row]]:
    """By requested octaves, rising; what could not be measured is left out."""
    groups: dict[float, list[Row]] = {}
    for row in _measured(rows, encoder):
        groups.setdefault(row.requested_octaves, []).append(row)
    return dict(sorted(groups.items()))


def _photo_rank_correlation(rows: Sequence[Row], encoder: str) -> float:
    requested = np.array([row.requested_octaves for row in rows])
    matched = np.array([row.matched_octaves(encoder) for row in rows])
    if len(np.unique(requested)) > 1 and len(np.unique(matched)) == 1:
        return 0.0
    return spearman(requested, matched)


def _spreads(requested: np.ndarray, matched: np.ndarray) -> np.ndarray:
    groups = [matched[requested == scale] for scale in np.unique(requested)]
    return np.array([group.std(ddof=1) for group in groups if len(group) > 1])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Of the least-squares line; NaN without two different x."""
    if len(np.unique(x)) < 2:
        return math.nan
    x = x - x.mean()
    return float(x @ y / (x @ x))
