"""Two axes against each other: a figure's mean in each cell, over everything else that the sweep varies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from brushnet.report.effects import Cell, Figures, cell, most_effect, shares
from brushnet.report.figures import CONTROL, Figure
from brushnet.report.runs import Run, Sweep

STROKE_AXES, LAYER_AXES = ("stroke",), ("layers", "loss")


@dataclass(frozen=True)
class Heat:
    """`cells` by row and column; `rows` are the values of `row_axis`."""

    figure: Figure
    row_axis: str
    column_axis: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Cell]]

    def ends(self) -> tuple[float, float]:
        """Smallest and largest mean; both NaN where nothing was measured."""
        means = [each.mean for row in self.cells for each in row if not math.isnan(each.mean)]
        return (min(means), max(means)) if means else (math.nan, math.nan)

    def least(self, mean: float) -> bool:
        """Whether it is the smallest; none is where all are equal."""
        low, high = self.ends()
        return mean == low < high

    def warmth(self, mean: float) -> float:
        """0 at the smallest, 1 at the largest."""
        low, high = self.ends()
        return (mean - low) / (high - low) if high > low else 0.5


def heat_axes(sweep: Sweep, figures: Figures) -> tuple[str, str]:
    """Scale range down, layer selection across; where there are none of these the axes with most effect.

    "" where the sweep has one axis or none: then there is one column, or one cell.
    """
    left = sweep.design or sweep.factors
    row = next((axis for axis in left if _named(axis, STROKE_AXES)), None)
    column = next((axis for axis in left if _named(axis, LAYER_AXES) and axis != row), None)
    by_effect = shares(sweep.evaluated, left, CONTROL, figures)
    ranked = sorted(left, key=lambda axis: -by_effect[axis] if not math.isnan(by_effect[axis]) else 0.0)
    row = row or next((axis for axis in ranked if axis != column), "")
    return row, column or next((axis for axis in ranked if axis != row), "")


def heat_map(sweep: Sweep, figure: Figure, figures: Figures, *, axes: tuple[str, str]) -> Heat:
    rows, columns = (list(sweep.axes[axis]) if axis else [""] for axis in axes)
    cells = [
        [cell([run for run in sweep.runs if _at(run, axes, (row, column))], figure, figures) for column in columns]
        for row in rows
    ]
    return Heat(figure, *axes, rows, columns, cells)


def main_axis(sweep: Sweep, figures: Figures) -> str | None:
    """By which curves are coloured: the one with most effect on control."""
    return most_effect(sweep.evaluated, sweep.design or sweep.factors, CONTROL, figures)


def _at(run: Run, axes: tuple[str, str], values: tuple[str, str]) -> bool:
    return all(not axis or run.values.get(axis) == value for axis, value in zip(axes, values, strict=True))


def _named(axis: str, names: Sequence[str]) -> bool:
    return axis.split(".")[0] in names and "pyramid" not in axis
