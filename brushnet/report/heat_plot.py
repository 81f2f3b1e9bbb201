"""The heat maps as one figure, for papers; the page has them as tables."""

import math
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from brushnet.report.figure import GREY, STYLE, plain_label
from brushnet.report.heat import Heat
from brushnet.report.runs import value_name

COLUMNS = 3
CELL_IN = (0.78, 0.42)
LABEL_CHARS = 16
# Light throughout, so that black figures can be read on every cell.
COLOURS = LinearSegmentedColormap.from_list("brushnet heat", ["#ffffff", "#fbe3cd", "#f2b27e", "#e58745"])


def heat_figure(heats: Sequence[Heat]) -> Figure:
    """A panel for each; the number is the mean, below it one standard deviation over seeds, the best is framed."""
    columns = min(COLUMNS, len(heats))
    rows = math.ceil(len(heats) / columns)
    labels_in = 0.075 * max(len(name) for name in _names(heats[0].row_axis, heats[0].rows))
    width = columns * (max(1.7, CELL_IN[0] * len(heats[0].columns)) + labels_in + 0.4)
    height = rows * (CELL_IN[1] * len(heats[0].rows) + 1.35)
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, heat in zip(panels, heats, strict=False):
            _draw(axes, heat)
        for axes in panels[len(heats) :]:
            axes.set_visible(False)
    return figure


def _draw(axes: Axes, heat: Heat) -> None:
    warmth = [[heat.warmth(cell.mean) for cell in row] for row in heat.cells]
    axes.imshow(warmth, cmap=COLOURS, vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(heat.cells):
        for x, cell in enumerate(row):
            if math.isnan(cell.mean):
                axes.text(x, y, "-", ha="center", va="center", color=GREY)
                continue
            spread = "" if math.isnan(cell.deviation) else f"\n± {cell.deviation:.{heat.figure.decimals}f}"
            lift = -0.12 if spread else 0.0
            axes.text(x, y + lift, f"{cell.mean:.{heat.figure.decimals}f}", ha="center", va="center", fontsize=8.5)
            axes.text(x, y + 0.06, spread, ha="center", va="center", fontsize=6, color="#444444")
            if heat.least(cell.mean):
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, linewidth=1.4, clip_on=False))
    unit = f", {heat.figure.unit}" if heat.figure.unit else ""
    axes.set_title(f"{heat.figure.label}{unit}", fontsize=9, loc="left")
    _label(axes, heat)


def _label(axes: Axes, heat: Heat) -> None:
    several = len(heat.columns) > 3
    rows, columns = _names(heat.row_axis, heat.rows), _names(heat.column_axis, heat.columns)
    axes.set_xticks(range(len(columns)), columns, rotation=35 if several else 0, ha="right" if several else "center",
                    fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _names(axis: str, values: Sequence[str]) -> list[str]:
    return [plain_label(value_name(axis, value)[:LABEL_CHARS]) for value in values]
