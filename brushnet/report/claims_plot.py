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


def claims_figure(
    verdicts: Mapping[str, str],
    *,
    centres: Curves,
    sights: Mapping[str, Mapping[str, float]],
    losses: Curves,
    told: Mapping[float, Sequence[float]],
    untold: Mapping[float, Sequence[float]],
) -> Figure:
    """Verdicts by the claim's name.

    `centres`: by network, the receptive field that sees each width; `sights`: by network, d' of fine strokes by layer;
    `losses`: by model, style loss by stroke scale; `told`, `untold`: dB of each octave by stroke scale.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 7.6), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
        (a, b), (c, d) = figure.subplots(2, 2)
        _fields(a, centres)
        _losses(b, losses)
        _sights(c, sights)
        _detail(d, told, untold)
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


def _detail(axes: Axes, told: Mapping[float, Sequence[float]], untold: Mapping[float, Sequence[float]]) -> None:
    """Bars from 0, which is the painting: finest octave and the next, side by side."""
    scales = list(told)
    for offset, (name, found), colour in zip(
        (-0.2, 0.2), (("told s", told), ("untold", untold)), (BLUE, ORANGE), strict=True
    ):
        for octave, strength in enumerate((1.0, 0.5)):
            xs = [place + offset + 0.17 * (octave - 0.5) for place in range(len(scales))]
            label = f"{name}, {'finest' if octave == 0 else 'next'} octave"
            axes.bar(xs, [found[scale][octave] for scale in scales], 0.16, color=colour, alpha=strength, label=label)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhspan(-3, 3, color=GREY, alpha=0.12, linewidth=0, label="less than twice or half")
    axes.set_ylim(*(sign * max(4.0, 1.4 * _largest(told, untold)) for sign in (-1, 1)))
    axes.set_xticks(range(len(scales)))
    axes.set_xticklabels([f"s = {scale:g}" for scale in scales])
    axes.set_ylabel("fine detail against the painting's, dB\n(above 0: noisier, below: smoother)")
    axes.legend(fontsize=7.5, ncols=2, loc="lower left")


def _largest(*curves: Mapping[float, Sequence[float]]) -> float:
    return max(abs(value) for curve in curves for each in curve.values() for value in each)
