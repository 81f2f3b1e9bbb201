"""The control curve as a paper prints it: measured against requested stroke scale, in octaves, with the diagonal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator

from brushnet.measure.control import Row
from brushnet.measure.control_summary import Point, mean_curve
from brushnet.report.figure import COLOURS, GREY, new_figure

PANEL_IN = 3.5
MARGIN_OCTAVES = 0.25
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.2, 1.5, 1.2)))  # after the colours are used up
MARKER: dict[str, Any] = {"markersize": 4.8, "markeredgewidth": 1.1, "linewidth": 1.5}
TINT = 0.10  # of the trained range


def curves_of(rows: Sequence[Row], *, encoder: str) -> dict[str, list[Point]]:
    """By system, and by size where one has several. Systems without a measured row are left out."""
    groups: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.system, row.size_px), []).append(row)
    systems = [system for system, _ in groups]
    curves = {
        f"{system}, {size_px} px" if systems.count(system) > 1 else system: mean_curve(group, encoder=encoder)
        for (system, size_px), group in groups.items()
    }
    return {label: points for label, points in curves.items() if points}


def control_figure(
    panels: Mapping[str, Mapping[str, Sequence[Point]]],
    *,
    trained: tuple[float, float] | None = None,
    over: str = "photos",
) -> Figure:
    """One panel for each encoder, in each a curve for each system: mean `over` photos, band one standard deviation.

    `trained` is the range of stroke scales that is shaded (a line where its ends are equal); requests that were not
    seen in training have hollow markers.
    """
    labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    points = [point for curves in panels.values() for each in curves.values() for point in each]
    keys = _keys(labels, points, trained, over)
    rows = math.ceil(len(keys) / _key_columns(len(panels)))
    figure, every = new_figure(PANEL_IN * len(panels) + 0.35, PANEL_IN + 0.7 + 0.19 * rows, columns=len(panels))
    ends = _ends(points)
    for axes, (encoder, curves) in zip(every, panels.items(), strict=True):
        _frame(axes, ends, trained)
        for label, each in curves.items():
            _draw(axes, each, place=labels.index(label))
        axes.set_xlabel("requested stroke scale, octaves")
        axes.set_title(f"measured by {encoder}", fontsize=9, pad=16)
    every[0].set_ylabel("measured stroke scale, octaves")
    figure.legend(
        handles=keys,
        loc="outside lower center",
        ncols=_key_columns(len(panels)),
        fontsize=8,
        frameon=False,
        handlelength=2.4,
        columnspacing=1.6,
    )
    return figure


def _draw(axes: Axes, points: Sequence[Point], *, place: int) -> None:
    colour, marker, line = _look(place)
    x = [point.requested_octaves for point in points]
    y = [point.mean_octaves for point in points]
    low, high = ([point.mean_octaves + sign * point.deviation_octaves for point in points] for sign in (-1, 1))
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
    axes.plot(x, y, color=colour, linewidth=MARKER["linewidth"], linestyle=line, zorder=3)
    for point in points:
        face = colour if point.seen else "white"
        at = ([point.requested_octaves], [point.mean_octaves])
        axes.plot(*at, marker=marker, color=colour, markerfacecolor=face, zorder=4, **MARKER)


def _look(place: int) -> tuple:
    colours = len(COLOURS)
    return COLOURS[place % colours], MARKERS[place % len(MARKERS)], LINES[place // colours % len(LINES)]


def _frame(axes: Axes, ends: tuple[float, float], trained: tuple[float, float] | None) -> None:
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.plot(ends, ends, color="black", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5)
    if trained and trained[0] < trained[1]:
        low, high = (math.log2(scale) for scale in trained)
        axes.axvspan(low, high, color=GREY, alpha=TINT, linewidth=0, zorder=0)
    elif trained:
        axes.axvline(math.log2(trained[0]), color=GREY, alpha=0.4, linewidth=3, zorder=0)
    whole = range(math.ceil(ends[0]), math.floor(ends[1]) + 1)
    halves = [octave + 0.5 for octave in range(math.floor(ends[0]), math.ceil(ends[1]))]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(list(whole)))
        axis.set_minor_locator(FixedLocator([half for half in halves if ends[0] < half < ends[1]]))
    axes.grid(True, color=GREY, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)
    for octave in whole:
        axes.annotate(
            f"s = {2.0**octave:g}" if octave == 0 else f"{2.0**octave:g}",
            (octave, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            color=GREY,
        )


def _keys(labels: Sequence[str], points: Sequence[Point], trained: tuple[float, float] | None, over: str) -> list:
    keys: list = []
    for place, label in enumerate(labels):
        colour, marker, line = _look(place)
        keys.append(Line2D([], [], color=colour, marker=marker, linestyle=line, label=label, **MARKER))
    if any(point.deviation_octaves > 0 for point in points):
        keys.append(Patch(color=COLOURS[0], alpha=0.18, linewidth=0, label=f"± one s.d. over {over}"))
    if trained:
        keys.append(Patch(color=GREY, alpha=2 * TINT, linewidth=0, label="trained"))
    if not all(point.seen for point in points):
        unseen = dict(MARKER, linewidth=0)
        keys.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="white", label="not seen", **unseen))
    keys.append(Line2D([], [], color="black", linewidth=0.8, linestyle=(0, (4, 3)), label="as requested"))
    return keys


def _key_columns(panels: int) -> int:
    return 2 * panels


def _ends(points: Sequence[Point]) -> tuple[float, float]:
    """One for both axes, so that the diagonal is one."""
    values = [point.requested_octaves for point in points]
    values += [point.mean_octaves + sign * point.deviation_octaves for point in points for sign in (-1, 1)]
    values = values or [-1.0, 1.0]
    return min(values) - MARGIN_OCTAVES, max(values) + MARGIN_OCTAVES
