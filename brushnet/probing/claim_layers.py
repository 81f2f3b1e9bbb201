"""Claims a and c, as far as the layer probe decides them: which layer sees large strokes, and do deeper ones help.

Pure functions of the probe's tables.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from brushnet.measure.layer_table import ALL_LEVELS, LOSS, Row
from brushnet.measure.ranks import spearman
from brushnet.probing.claim import (
    CONTRADICTED,
    CRITICAL,
    DEPENDS,
    SUPPORTED,
    Claim,
    correlation_verdict,
    critical_correlation,
    joint,
    tally,
    verdict_of,
)
from brushnet.report.probe_plot import SEEN_D_PRIME, Panel

# SEEN_D_PRIME: a width counts where some layer tells it from its neighbour at all. Below d' = 2 an observer errs in
# 16 % of its answers and more, and which layer errs least is chance.
FEWEST_WIDTHS = min(CRITICAL)  # a rank correlation of fewer points is often 1 by chance
CLEAR_SLOPE = 0.1  # octaves of receptive field for each octave of stroke width: less is no trend that matters
FINE_PX = 6.0

CLEAR = "at or beyond the one-sided 5 % critical value of Spearman's rho, Zar 1984, Ramsey 1989: " + ", ".join(
    f"{value:g} for {points}" for points, value in CRITICAL.items()
)

LARGE_SHALLOW = "large strokes live in shallow layers, small strokes in deeper ones"
LARGE_SHALLOW_TEST = (
    f"At one pyramid level, over widths that some layer tells apart (d' of {SEEN_D_PRIME:g} or more): the receptive "
    "field of the layers that see a width (mean of its log2, weighted by d' squared) against that width. "
    f"Supported if it falls ({-CLEAR_SLOPE:g} octave or less for each octave, and a rank correlation "
    f"{CLEAR} widths), contradicted if it rises as clearly; depends else, or where loss networks disagree."
)
DEEPER_FINE = "deeper loss networks capture fine strokes better"
DEEPER_FINE_TEST = (
    f"d' of each layer for strokes up to {FINE_PX:g} px, the mean over widths, against the layer's depth. Supported if "
    f"it rises with depth (a rank correlation {CLEAR} layers), contradicted if it falls as clearly, or "
    "if the layer that sees them best lies in the shallower half (the middle one is in neither) and the deepest one "
    "sees less than half as well; depends else, or where loss networks disagree."
)


def large_strokes_in_shallow_layers(panels: Sequence[Panel]) -> Claim:
    figures: dict[str, object] = {}
    verdicts, words = [], []
    for panel in panels:
        trend, slope, widths = field_against_width(panel.rows, "0")
        verdicts.append(_trend_verdict(trend, slope, len(widths)))
        pyramid = field_against_width(panel.rows, ALL_LEVELS)
        figures[panel.network] = {
            "widths_px": [round(width, 2) for width in widths],
            "rank_correlation": trend,
            "critical_rank_correlation": critical_correlation(len(widths)),
            "octaves_of_field_per_octave_of_width": slope,
            "with_pyramid": {"rank_correlation": pyramid[0], "octaves_of_field_per_octave_of_width": pyramid[1]},
            "verdict": verdicts[-1],
        }
        words.append(f"{panel.network}: {_trend_words(trend, slope, widths)}")
    return Claim("a", LARGE_SHALLOW, LARGE_SHALLOW_TEST, joint(verdicts), tally(verdicts) + "; ".join(words), figures)


def field_against_width(rows: Sequence[Row], levels: str) -> tuple[float, float, list[float]]:
    """Rank correlation, slope in octaves per octave, and the widths that are seen; NaN where these are too few."""
    fields = seen_fields(rows, levels)
    widths = list(fields)
    if len(widths) < FEWEST_WIDTHS:
        return math.nan, math.nan, widths
    octaves = [math.log2(field) for field in fields.values()]
    return spearman(widths, octaves), slope_of([math.log2(width) for width in widths], octaves), widths


def seen_fields(rows: Sequence[Row], levels: str) -> dict[float, float]:
    """For each width that some layer sees the receptive field, px, of those that see it."""
    shown = [row for row in rows if row.levels == levels and row.observer != LOSS]
    columns = {width: [row for row in shown if row.middle == width] for width in sorted({row.middle for row in shown})}
    return {
        width: 2 ** _centre(column)
        for width, column in columns.items()
        if max(row.d_prime for row in column) >= SEEN_D_PRIME
    }


def _centre(column: Sequence[Row]) -> float:
    weights = [max(row.d_prime, 0.0) ** 2 for row in column]
    return sum(weight * math.log2(row.field_px) for weight, row in zip(weights, column, strict=True)) / sum(weights)


def slope_of(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the least-squares line."""
    middle = fmean(xs)
    return sum((x - middle) * y for x, y in zip(xs, ys, strict=True)) / sum((x - middle) ** 2 for x in xs)


def _trend_verdict(trend: float, slope: float, widths: int) -> str:
    """Both figures must be clear."""
    by_trend = correlation_verdict(trend, widths, rises=CONTRADICTED, falls=SUPPORTED)
    by_slope = verdict_of(slope, supports=-CLEAR_SLOPE, contradicts=CLEAR_SLOPE)
    return joint([by_trend, by_slope])


def _trend_words(trend: float, slope: float, widths: Sequence[float]) -> str:
    if len(widths) < FEWEST_WIDTHS:
        return f"only {len(widths)} widths are told apart"
    way = "grows" if slope > 0 else "shrinks"
    return (
        f"the receptive field that sees a stroke {way} by {abs(slope):.2f} octave for each octave of width "
        f"({min(widths):.2g} to {max(widths):.2g} px, rank correlation {trend:.2f})"
    )


def deeper_networks_capture_fine_strokes(panels: Sequence[Panel]) -> Claim:
    figures: dict[str, object] = {}
    verdicts, words = [], []
    for panel in panels:
        sight = fine_sight(panel.rows)
        if not sight:
            verdicts.append(DEPENDS)
            words.append(f"{panel.network}: no stroke of up to {FINE_PX:g} px among --widths")
            continue
        layers = list(sight)
        trend = spearman(range(len(layers)), list(sight.values())) if len(layers) > 1 else math.nan
        best, deepest = max(layers, key=sight.__getitem__), layers[-1]
        verdicts.append(_depth_verdict(trend, list(sight.values())))
        figures[panel.network] = {
            "d_prime_of_fine_strokes": sight,
            "rank_correlation_with_depth": trend,
            "critical_rank_correlation": critical_correlation(len(layers)),
            "best_layer": best,
            "verdict": verdicts[-1],
        }
        words.append(
            f"{panel.network}: best {best} (d' {sight[best]:.1f}), deepest {deepest} ({sight[deepest]:.1f}), "
            f"rank correlation {trend:.2f}"
        )
    return Claim(
        "c, loss network", DEEPER_FINE, DEEPER_FINE_TEST, joint(verdicts), tally(verdicts) + "; ".join(words), figures
    )


def fine_sight(rows: Sequence[Row]) -> dict[str, float]:
    """Mean d' of each layer over the fine widths at one level, shallow layers first."""
    fine = [row for row in rows if row.levels == "0" and row.observer != LOSS and row.middle <= FINE_PX]
    names = dict.fromkeys(row.observer for row in fine)
    return {name: fmean(row.d_prime for row in fine if row.observer == name) for name in names}


def _depth_verdict(trend: float, sight: Sequence[float]) -> str:
    """`sight` of each layer, shallow ones first; the middle one of an odd number lies in neither half."""
    best = max(sight)
    if sight.index(best) < len(sight) // 2 and sight[-1] < best / 2:
        return CONTRADICTED
    return correlation_verdict(trend, len(sight), rises=SUPPORTED, falls=CONTRADICTED)
