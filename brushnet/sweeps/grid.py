"""The axes of a sweep and the jobs that they span, as overrides for Hydra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from brushnet.errors import UserError

MOST_JOBS = 10_000
SMOKE_AXES = 2  # of which `budget=smoke` leaves two values, and one of the others


@dataclass(frozen=True)
class Axis:
    """One option or group with several values, each as it is typed: `stroke`, ("fixed", "mixed")."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """Axes in the order in which they were given, and the overrides that all jobs share."""

    axes: tuple[Axis, ...]
    shared: tuple[str, ...]

    def jobs(self) -> list[dict[str, str]]:
        """The value of each axis for every job; the last axis changes fastest. One job where there is no axis.

        But seeds change last: a sweep that is stopped halfway has then tried everything once.
        """
        slowest_first = sorted(self.axes, key=lambda axis: axis.key != "seed")
        found = []
        for values in product(*(axis.values for axis in slowest_first)):
            chosen = {axis.key: value for axis, value in zip(slowest_first, values, strict=True)}
            found.append({axis.key: chosen[axis.key] for axis in self.axes})
        return found

    def overrides(self, values: Mapping[str, str]) -> list[str]:
        return [*(f"{key}={value}" for key, value in values.items()), *self.shared]

    def cut(self) -> "Grid":
        """Two values of the first two axes, the first and the last, and one of the others: enough to see it run."""
        axes = []
        for place, axis in enumerate(self.axes):
            first, last = axis.values[:1], axis.values[1:][-1:]
            axes.append(Axis(axis.key, (*first, *last) if place < SMOKE_AXES else first))
        return Grid(tuple(axes), self.shared)


def grid_of(loader: Any, params: Mapping[str, Any], overrides: Sequence[str]) -> Grid:
    """Of `hydra.sweeper.params` and the overrides of the command line, which count where both name an option.

    UserError for more than MOST_JOBS jobs, and for intervals, which have no end of values.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=loader)
    axes: dict[str, tuple[str, ...]] = {}
    shared: dict[str, str] = {}
    for override in parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *overrides]):
        key = override.get_key_element()
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(f"{key} must be swept over a list of values (a,b,c) or range(...), got an interval")
        if override.is_sweep_override():
            shared.pop(key, None)
            axes[key] = tuple(dict.fromkeys(islice(override.sweep_string_iterator(), MOST_JOBS + 1)))
        else:
            axes.pop(key, None)
            shared[key] = f"{key}={override.get_value_element_as_str()}"
    grid = Grid(tuple(Axis(key, values) for key, values in axes.items()), tuple(shared.values()))
    count = 1
    for axis in grid.axes:
        count *= len(axis.values)
    if count > MOST_JOBS:
        raise UserError(f"a sweep may have {MOST_JOBS} jobs at most, got {count} or more: {', '.join(axes)}")
    return grid
