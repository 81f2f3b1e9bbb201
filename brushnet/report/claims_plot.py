"""One figure for all claims: what each verdict follows from, at a glance."""

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, NullLocator

from brushnet.report.figure import BLUE, COLOURS, GREEN, GREY, ORANGE, RED, STYLE

VERDICT_COLOURS = {"supported": GREEN, "contradicted": RED, "depends": ORANGE, "not tested": GREY}
KINDS = {"fixed": (BLUE, "--"), "mixed": (ORANGE, "-"), "conditioned": (GREEN, "-")}  # what a model's name begins with
MARKERS = "osvD^P"
Curves = Mapping[str, Mapping[float, float]]
Decibels = Mapping[float, Sequence[float]]  # of each octave, finest first, by stroke scale
Detail = Mapping[str, tuple[Decibels, Decibels]]


def claims_figure(
    verdicts: Mapping[str, str],
    *,
    centres: Curves,
    sights: Mapping[str, Mapping[str, float]],
    losses: Curves,
    detail: Detail,
) -> Figure:
    """Verdicts by the claim's name.

    `centres`: by network, the receptive field that sees each width; `sights`: by network, d' of fine strokes by layer;
    `losses`: by model, style loss by stroke scale; `detail`: by source, dB of each octave by stroke scale, told
    and untold.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 7.6), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
        (a, b), (c, d) = figure.subplots(2, 2)
        _fields(a, centres)
        _losses(b, losses)
        _sights(c, sights)
        _detail(d, detail)
        blocks = verdicts.get("c, residual blocks", "")
        _title(a, "a  Large strokes live in shallow layers", verdicts["a"])
        _title(b, "b  One scale transfers badly, a diverse range is robust", verdicts["b"], f"more blocks: {blocks}")
        _title(c, "c  Deeper networks capture fine strokes better", verdicts["c, loss network"])
        _title(d, "d  Ignoring scale over-smooths or adds noise", verdicts["d"])
    return figure


def _title(axes: Axes, text: str, verdict: str, more: str = "") -> None:
    axes.set_title(f"{text}\n", loc="left", fontsize=10.5, fontweight="bold")
    shown = f"{verdict}   ({more})" if more else verdict
    axes.text(0, 1.025, shown, transform=axes.transAxes, color=VERDICT_COLOURS[verdict], fontweight="bold")


def _octaves(axes: Axes, which: str, values: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers at these values."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log", base=2)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(list(values))


def _fields(axes: Axes, centres: Curves) -> None:
    for (name, fields), colour in zip(centres.items(), COLOURS * 3, strict=False):
        axes.plot(list(fields), list(fields.values()), "o-", color=colour, markersize=4, label=name)
    _octaves(axes, "x", [2, 4, 8, 16, 32, 64])
    _octaves(axes, "y", [4, 8, 16, 32, 64, 128])
    axes.set_xlim(2, 64)
    axes.set_ylim(3, 160)
    axes.set_xlabel("stroke width in px")
    axes.set_ylabel("receptive field of the layers\nthat see it, in px")
    axes.annotate("as the claim has it", (0.97, 0.08), (0.72, 0.34), xycoords="axes fraction", color=GREY, fontsize=8,
                  arrowprops={"arrowstyle": "->", "color": GREY, "linestyle": "--"})  # fmt: skip
    axes.legend(fontsize=7.5, loc="upper left")


def _losses(axes: Axes, losses: Curves) -> None:
    if not losses:
        axes.text(0.5, 0.5, "needs trained models:\n--models", transform=axes.transAxes, ha="center", color=GREY)
    drawn: list[str] = []
    for name, curve in losses.items():
        kind = name.split()[0]
        colour, line = KINDS.get(kind, (GREY, ":"))
        marker = MARKERS[drawn.count(kind) % len(MARKERS)]
        axes.plot(
            list(curve),
            list(curve.values()),
            line,
            marker=marker,
            color=colour,
            markersize=5,
            linewidth=1.3,
            label=name,
        )
        drawn.append(kind)
    _octaves(axes, "x", [0.5, 1, 2])
    axes.set_xlim(0.45, 2.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("stroke scale s that is wanted")
    axes.set_ylabel("style loss against $S_s$")
    if losses:
        axes.legend(fontsize=7)


def _sights(axes: Axes, sights: Mapping[str, Mapping[str, float]]) -> None:
    layers = list(dict.fromkeys(layer for sight in sights.values() for layer in sight))
    for (name, sight), colour in zip(sights.items(), COLOURS * 3, strict=False):
        axes.plot(
            [layers.index(layer) for layer in sight], list(sight.values()), "o-", color=colour, markersize=4, label=name
        )
    axes.set_xticks(range(len(layers)))
    axes.set_xticklabels(layers, rotation=45, ha="right", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("d\N{PRIME} of fine strokes (up to 6 px)")
    axes.legend(fontsize=7.5)


def _detail(axes: Axes, detail: Detail) -> None:
    """Bars from 0, which is the painting: finest octave and the next, side by side; a group for each source."""
    labels: list[str] = []
    for source, (told, untold) in detail.items():
        start = len(labels) + (0.6 if labels else 0.0)
        for offset, found, colour, name in ((-0.2, told, BLUE, "told s"), (0.2, untold, ORANGE, "untold")):
            for octave, strength in enumerate((1.0, 0.5)):
                xs = [start + place + offset + 0.17 * (octave - 0.5) for place in range(len(found))]
                label = f"{name}, {'finest' if octave == 0 else 'next'} octave" if not labels else None
                heights = [each[octave] for each in found.values()]
                axes.bar(xs, heights, 0.16, color=colour, alpha=strength, label=label)
        middle = start + (len(told) - 1) / 2
        axes.text(middle, 0.97, source, transform=axes.get_xaxis_transform(), ha="center", va="top", color=GREY)
        labels += [f"s = {scale:g}" for scale in told]
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhspan(-3, 3, color=GREY, alpha=0.12, linewidth=0, label="less than twice or half")
    values = [value for pair in detail.values() for found in pair for each in found.values() for value in each]
    low, high = min(-4.0, *values), max(4.0, *values)
    axes.set_ylim(low - 0.55 * (high - low), high + 0.15 * (high - low))  # the legend lies below the bars
    count = len(next(iter(detail.values()))[0])
    axes.set_xticks([place + 0.6 * (place // count) for place in range(len(labels))])
    axes.set_xticklabels(labels)
    axes.set_ylabel("fine detail against the painting's, dB\n(above 0: noisier, below: smoother)")
    axes.legend(fontsize=7.5, ncols=2, loc="lower left")
