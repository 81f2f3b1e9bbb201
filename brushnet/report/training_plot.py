"""Training curves of all runs: what was minimised, and the style loss on photos that are not trained on."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from brushnet.report.figure import COLOURS, new_figure, plain_label
from brushnet.report.runs import Curve, Run, value_name

PANELS = {"train/loss": "training loss", "val/loss": "validation loss", "val/style": "style loss, validation"}
SMOOTHING = 0.9  # of each earlier value: single batches are all noise
MOST_POINTS = 400


def training_figure(runs: Sequence[Run], axis: str | None) -> Figure | None:
    """A panel for each of PANELS that is there; None where no run has any. Coloured by the value on that axis."""
    shown = [name for name in PANELS if any(len(run.curves.get(name, ())) > 1 for run in runs)]
    if not shown:
        return None
    values = list(dict.fromkeys(_value(run, axis) for run in runs))
    figure, every = new_figure(3.3 * len(shown) + 0.4, 3.1, columns=len(shown))
    for axes, name in zip(every, shown, strict=True):
        for run in runs:
            if curve := run.curves.get(name, ()):
                _draw(axes, curve, colour=COLOURS[values.index(_value(run, axis)) % len(COLOURS)], many=len(runs) > 8,
                      smooth=name.startswith("train/"))  # fmt: skip
        axes.set_yscale("log")
        _ticks(axes)
        axes.set_title(PANELS[name], fontsize=9, loc="left")
        axes.set_xlabel("step")
        axes.grid(True, alpha=0.25, linewidth=0.5)
    if axis:
        names = [plain_label(value_name(axis, value)) for value in values]
        keys = [Line2D([], [], color=COLOURS[place % len(COLOURS)], label=name) for place, name in enumerate(names)]
        figure.legend(handles=keys, loc="outside lower center", ncols=min(4, len(values)), fontsize=8, frameon=False)
    return figure


def smoothed(values: Sequence[float], keep: float = SMOOTHING) -> list[float]:
    """Running mean that begins unbiased: of the first value itself."""
    found: list[float] = []
    total = weight = 0.0
    for value in values:
        total, weight = keep * total + (1 - keep) * value, keep * weight + (1 - keep)
        found.append(total / weight)
    return found


def _draw(axes: Axes, curve: Curve, *, colour: str, many: bool, smooth: bool) -> None:
    """What is not above 0 has no place on a logarithmic axis."""
    curve = [(step, value) for step, value in curve if value > 0]
    steps, values = [step for step, _ in curve], [value for _, value in curve]
    if smooth:
        values = smoothed(values)
    every = max(1, len(steps) // MOST_POINTS)
    axes.plot(
        steps[::every], values[::every], color=colour, linewidth=0.8 if many else 1.3, alpha=0.55 if many else 0.9
    )


def _ticks(axes: Axes) -> None:
    """Plain numbers: 1, 2, 5 of each power of ten, or evenly where the curves span little."""
    low, high = axes.get_ylim()
    few = low > 0 and high / low < 5
    axes.yaxis.set_major_locator(MaxNLocator(5) if few else LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _value(run: Run, axis: str | None) -> str:
    return run.values.get(axis, "") if axis else ""
