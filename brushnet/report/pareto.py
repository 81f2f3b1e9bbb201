"""Pareto front: the runs that no other beats in all objectives, and the best of each objective.

Runs compete within their painting: losses of different paintings say nothing about each other.
"""

import math
from collections.abc import Sequence

from brushnet.report.effects import Figures, grouped
from brushnet.report.figures import HIGHER, OBJECTIVES, Figure
from brushnet.report.runs import Run


def front(runs: Sequence[Run], figures: Figures, objectives: Sequence[Figure] = OBJECTIVES) -> set[str]:
    """Names of the runs for which no run of the same painting is at least as good in all and better in one."""
    found = set()
    for group in grouped(runs, lambda run: run.painting).values():
        points = {run.name: [_cost(figures[run.name][each.key], each) for each in objectives] for run in group}
        points = {name: point for name, point in points.items() if not any(map(math.isnan, point))}
        found |= {name for name, point in points.items() if not any(_beats(other, point) for other in points.values())}
    return found


def best(runs: Sequence[Run], figures: Figures, figure: Figure) -> set[str]:
    """Names of the best of each painting; none where neither way is better, or all are equally good."""
    found = set()
    for group in grouped(runs, lambda run: run.painting).values():
        costs = {run.name: _cost(figures[run.name][figure.key], figure) for run in group if figure.better}
        costs = {name: cost for name, cost in costs.items() if not math.isnan(cost)}
        if len(set(costs.values())) > 1:
            found |= {name for name, cost in costs.items() if cost == min(costs.values())}
    return found


def _cost(value: float, figure: Figure) -> float:
    return -value if figure.better == HIGHER else value


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
