"""The layer probe as a heat map: layer against stroke width, with each layer's receptive field drawn in."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import patheffects, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from brushnet.measure.layer_table import ALL_LEVELS, LOSS, Row
from brushnet.report.figure import STYLE

COLOURS = "magma"
TOP_D_PRIME = 8.0  # more is certainty
SEEN_D_PRIME = 2.0  # where no layer reaches it, which one is best is chance
ROW_IN, COLUMN_IN = 0.27, 0.42
DARK_BELOW = 0.55  # of the colour scale: above it, black figures are readable
TITLES = {"0": "one level: the picture as it is", ALL_LEVELS: "image pyramid: three levels summed"}


class Panel(NamedTuple):
    """One loss network's table. `unit` is px, or s for paintings."""

    network: str
    rows: Sequence[Row]
    unit: str


def probe_figure(panels: Sequence[Panel]) -> Figure:
    """A row for each network: heat maps at one level and over the pyramid, then the layers' shares."""
    counts = [len(_layers(panel)) + 1 for panel in panels]
    columns = len({row.narrow for row in panels[0].rows})
    width_in = 2 * columns * COLUMN_IN + 4.2
    with rc_context(STYLE):
        figure = Figure(figsize=(width_in, sum(counts) * ROW_IN + 1.1 * len(panels) + 0.9), layout="constrained")
        grid = figure.subplots(
            len(panels),
            3,
            squeeze=False,
            gridspec_kw={"width_ratios": [columns, columns, 3.6], "height_ratios": [count + 2 for count in counts]},
        )
        for line, panel in zip(grid, panels, strict=True):
            _map(line[0], panel, "0", first=True)
            _map(line[1], panel, ALL_LEVELS if _has(panel, ALL_LEVELS) else "0", first=False)
            _shares(line[2], panel)
        _legend(figure, unit=panels[0].unit)
    return figure


def _layers(panel: Panel) -> list[str]:
    return list(dict.fromkeys(row.observer for row in panel.rows if row.observer != LOSS))


def _has(panel: Panel, levels: str) -> bool:
    return any(row.levels == levels for row in panel.rows)


def _map(axes: Axes, panel: Panel, levels: str, *, first: bool) -> None:
    """Shallow layers at the top, the whole style loss below a gap at the bottom."""
    names = _layers(panel)
    shown = [row for row in panel.rows if row.levels == levels]
    middles = sorted({row.middle for row in shown})
    norm = PowerNorm(0.6, vmin=0, vmax=TOP_D_PRIME)
    best = {
        middle: max((row.d_prime for row in shown if row.middle == middle and row.observer != LOSS), default=0)
        for middle in middles
    }
    for row in shown:
        column = middles.index(row.middle)
        place = names.index(row.observer) if row.observer != LOSS else len(names) + 0.25
        _cell(
            axes,
            row,
            column,
            place,
            norm,
            is_best=row.observer != LOSS and row.d_prime == best[row.middle] >= SEEN_D_PRIME,
        )
    if panel.unit == "px":
        _fields(axes, names, shown, middles)
    has_loss = any(row.observer == LOSS for row in shown)
    axes.set_xlim(-0.5, len(middles) - 0.5)
    axes.set_ylim(len(names) + (0.75 if has_loss else -0.5), -0.5)
    axes.set_yticks([*range(len(names)), *([len(names) + 0.25] if has_loss else [])])
    axes.set_yticklabels([*names, *(["as trained"] if has_loss else [])] if first else [])
    edges = sorted({row.narrow for row in shown} | {row.wide for row in shown})
    axes.set_xticks([place - 0.5 for place in range(len(edges))])
    axes.set_xticklabels([f"{edge:.3g}" if place % 2 == 0 else "" for place, edge in enumerate(edges)])
    axes.set_xlabel("stroke width in px" if panel.unit == "px" else "stroke scale s")
    title = TITLES.get(levels, levels)
    axes.set_title(f"{panel.network}\n{title}" if first else title, loc="left", fontsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(axis="y", length=0)


def _cell(axes: Axes, row: Row, column: int, place: float, norm: PowerNorm, *, is_best: bool) -> None:
    from matplotlib import colormaps

    shade = float(norm(min(max(row.d_prime, 0.0), TOP_D_PRIME)))
    axes.add_patch(Rectangle((column - 0.5, place - 0.5), 1, 1, facecolor=colormaps[COLOURS](shade), linewidth=0))
    ink = "white" if shade < DARK_BELOW else "black"
    axes.text(
        column,
        place,
        f"{row.d_prime:.1f}".replace("-0.0", "0.0").replace("-", "\N{MINUS SIGN}"),
        color=ink,
        ha="center",
        va="center_baseline",
        fontsize=7,
        fontweight="bold" if is_best else "normal",
        zorder=3,
    )
    if is_best:
        axes.add_patch(Rectangle((column - 0.44, place - 0.41), 0.88, 0.82, fill=False, edgecolor=ink, linewidth=1))


def _fields(axes: Axes, names: Sequence[str], shown: Sequence[Row], middles: Sequence[float]) -> None:
    """A step line through the receptive fields: a stroke to its right is wider than what the layer sees at once."""
    fields = {row.observer: row.field_px for row in shown}
    step = math.log2(middles[1] / middles[0]) if len(middles) > 1 else 1.0
    places = [math.log2(fields[name] / middles[0]) / step for name in names]
    xs = [x for place in places for x in (place, place)]
    ys = [y for number in range(len(names)) for y in (number - 0.5, number + 0.5)]
    outline = [patheffects.Stroke(linewidth=3.4, foreground="black", alpha=0.55), patheffects.Normal()]
    axes.plot(xs, ys, color="#56e0ff", linewidth=1.7, path_effects=outline, zorder=2.5)


def _shares(axes: Axes, panel: Panel) -> None:
    """Of the covariance's energy and of the style distance, the mean over widths, at one level."""
    names = _layers(panel)
    for offset, field, colour, text in (
        (-0.19, "energy_share", "#777777", "Gram energy"),
        (0.19, "loss_share", "#d55e00", "style loss"),
    ):
        for place, name in enumerate(names):
            values = [getattr(row, field) for row in panel.rows if row.observer == name and row.levels == "0"]
            share = sum(values) / len(values)
            axes.barh(place + offset, share, 0.36, color=colour, label=text if place == 0 else None)
    axes.set_ylim(len(names) + 0.75, -0.5)
    axes.set_yticks([])
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.set_xticklabels(["0", "", "1"])
    axes.set_title("share of layers", loc="left", fontsize=9)
    axes.legend(loc="lower right", fontsize=7, handlelength=1)


def _legend(figure: Figure, *, unit: str) -> None:
    handles = [Rectangle((0, 0), 1, 1, facecolor="black", edgecolor="#bbbbbb", linewidth=1.2)]
    labels = [
        f"best layer, where any tells the widths apart (d\N{PRIME} of {SEEN_D_PRIME:g} or more);  "
        "as trained: the sum over relu1_1, relu2_1 and relu3_1"
    ]
    if unit == "px":
        handles.insert(0, Line2D([], [], color="#1fb5d8", linewidth=2))  # type: ignore[arg-type]
        labels.insert(0, "receptive field (with the pyramid: of its coarsest level)")
    figure.legend(handles, labels, loc="outside lower left", ncols=2, fontsize=8)
    figure.suptitle(
        "Which layer sees which stroke: d\N{PRIME}, how far apart widths of half an octave look to each layer",
        x=0.01,
        ha="left",
        fontsize=11,
        fontweight="bold",
    )
