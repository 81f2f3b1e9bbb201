"""What an axis does to a figure: means of its values, its share of the variance, and the spread over seeds."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brushnet.report.figures import HIGHER, Figure, mean
from brushnet.report.runs import SEED_AXES, Run, value_name

Figures = Mapping[str, Mapping[str, float]]  # by the run's name, then by key


@dataclass(frozen=True)
class Level:
    """One value of an axis: the figure's mean over all other axes, each configuration counted once."""

    value: str
    mean: float
    runs: int


@dataclass(frozen=True)
class Cell:
    """Mean of several runs, and their spread over seeds (NaN where there is one seed)."""

    mean: float
    deviation: float
    runs: int


def levels(runs: Sequence[Run], axis: str, figure: Figure, figures: Figures) -> list[Level]:
    """Best first; values without a measured run are left out."""
    found = []
    for value, group in grouped(runs, value_on(axis)).items():
        known = [run for run in group if not math.isnan(figures[run.name][figure.key])]
        if known:
            found.append(Level(value_name(axis, value), mean(_means(known, figure, figures)), len(known)))
    return sorted(found, key=lambda level: level.mean, reverse=figure.better == HIGHER)


def cell(runs: Sequence[Run], figure: Figure, figures: Figures) -> Cell:
    known = [run for run in runs if not math.isnan(figures[run.name][figure.key])]
    return Cell(mean(_means(known, figure, figures)), seed_spread(known, figure, figures), len(known))


def seed_spread(runs: Sequence[Run], figure: Figure, figures: Figures) -> float:
    """Standard deviation of runs that differ only in the seed, pooled over configurations; NaN where none has two."""
    groups = [
        [value for run in group if not math.isnan(value := figures[run.name][figure.key])]
        for group in grouped(runs, without_seed).values()
    ]
    squares = sum(float(np.var(group)) * len(group) for group in groups if len(group) > 1)
    degrees = sum(len(group) - 1 for group in groups if len(group) > 1)
    return math.sqrt(squares / degrees) if degrees else math.nan


def shares(runs: Sequence[Run], axes: Iterable[str], figure: Figure, figures: Figures) -> dict[str, float]:
    """Main effects: of the variance between runs that part which the means of an axis's values explain, by axis.

    NaN where no two runs differ. What is left to 1 is how the axes act together, and chance.
    """
    known = [run for run in runs if not math.isnan(figures[run.name][figure.key])]
    values = np.array([figures[run.name][figure.key] for run in known])
    whole = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    found = {}
    for axis in axes:
        between = 0.0
        for group in grouped(known, value_on(axis)).values():
            off = mean(figures[run.name][figure.key] for run in group) - float(values.mean())
            between += len(group) * off**2
        found[axis] = between / whole if whole > 1e-12 else math.nan
    return found


def most_effect(runs: Sequence[Run], axes: Sequence[str], figure: Figure, figures: Figures) -> str | None:
    """The axis that explains most of the figure; the first where nothing differs, None where there is no axis."""
    found = shares(runs, axes, figure, figures)
    return max(axes, key=lambda axis: -1.0 if math.isnan(found[axis]) else found[axis], default=None)


def grouped(runs: Iterable[Run], key: Callable[[Run], Hashable]) -> dict:
    groups: dict = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def value_on(axis: str) -> Callable[[Run], str]:
    """Of a run on that axis; "" where it has none."""
    return lambda run: run.values.get(axis, "")


def without_seed(run: Run) -> tuple[tuple[str, str], ...]:
    return tuple((axis, value) for axis, value in run.values.items() if axis not in SEED_AXES)


def _means(runs: Sequence[Run], figure: Figure, figures: Figures) -> list[float]:
    """One for each configuration: a failed seed must not make the others count less."""
    return [mean(figures[run.name][figure.key] for run in group) for group in grouped(runs, without_seed).values()]
