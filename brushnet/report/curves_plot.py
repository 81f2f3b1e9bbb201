"""Control curves of a whole sweep: one for each value of an axis, the single runs thin behind it."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from matplotlib.figure import Figure

from brushnet.measure.control_summary import Point
from brushnet.report.control_plot import control_figure
from brushnet.report.effects import grouped
from brushnet.report.figure import COLOURS, plain_label
from brushnet.report.runs import Evaluation, Run, value_name

MOST_THIN = 200
THIN_ALPHA = 0.22


def run_figure(run: Run) -> Figure:
    """Of one run: mean and band over photos, its trained range shaded."""
    assert run.evaluation is not None
    points = points_of(_readings(run.evaluation))
    return control_figure(
        {plain_label(run.evaluation.encoder): {plain_label(run.name): points}}, trained=run.evaluation.trained
    )


def sweep_figure(runs: Sequence[Run], axis: str | None) -> Figure:
    """Runs averaged by their value on that axis, band over runs; all of them are one curve where there is no axis."""
    evaluated = [run for run in runs if run.evaluation]
    groups = grouped(evaluated, lambda run: run.values.get(axis, "") if axis else "all runs")
    by_run = {run.name: points_of(_readings(run.evaluation)) for run in evaluated if run.evaluation}
    curves = {value: _mean_curve([by_run[run.name] for run in group]) for value, group in groups.items()}
    encoder = next((run.evaluation.encoder for run in evaluated if run.evaluation), "")
    named = {plain_label(value_name(axis or "", value)): curve for value, curve in curves.items() if curve}
    figure = control_figure({plain_label(encoder): named}, over="runs")
    drawn = [value for value, curve in curves.items() if curve]
    for run in evaluated[:MOST_THIN]:
        value = run.values.get(axis, "") if axis else "all runs"
        if value in drawn and len(groups[value]) > 1:
            xs = [point.requested_octaves for point in by_run[run.name]]
            ys = [point.mean_octaves for point in by_run[run.name]]
            colour = COLOURS[drawn.index(value) % len(COLOURS)]
            figure.axes[0].plot(xs, ys, color=colour, alpha=THIN_ALPHA, linewidth=0.7, zorder=1.8)
    return figure


def points_of(readings: dict[float, list[tuple[float, bool]]]) -> list[Point]:
    """Mean and standard deviation of what was measured at each request, in rising order."""
    return [
        Point(
            math.log2(stroke),
            fmean(octaves for octaves, _ in each),
            stdev(octaves for octaves, _ in each) if len(each) > 1 else 0.0,
            all(seen for _, seen in each),
        )
        for stroke, each in sorted(readings.items())
    ]


def _readings(evaluation: Evaluation) -> dict[float, list[tuple[float, bool]]]:
    found: dict[float, list[tuple[float, bool]]] = {}
    for row in evaluation.rows:
        if not math.isnan(row.octaves):
            found.setdefault(row.stroke, []).append((row.octaves, row.seen))
    return found


def _mean_curve(curves: Sequence[Sequence[Point]]) -> list[Point]:
    """Band over runs. A request counts as seen where most runs were trained for it."""
    found: dict[float, list[Point]] = {}
    for curve in curves:
        for point in curve:
            found.setdefault(round(point.requested_octaves, 4), []).append(point)
    return [
        Point(
            requested,
            fmean(point.mean_octaves for point in each),
            stdev(point.mean_octaves for point in each) if len(each) > 1 else 0.0,
            2 * sum(point.seen for point in each) >= len(each),
        )
        for requested, each in sorted(found.items())
    ]
