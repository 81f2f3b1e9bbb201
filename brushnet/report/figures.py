"""The figures of a run that are compared: what each is called, its unit, and which way is better."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from brushnet.report.runs import Evaluation, Painted, Run

TEST_SCALES = (0.5, 1.0, 2.0)
SCALE_TOLERANCE = 1e-3
MOST_DECIMALS = 4
LOWER, HIGHER, NEITHER = -1, 1, 0


class Figure(NamedTuple):
    key: str
    label: str
    unit: str
    decimals: int
    better: int
    meaning: str


CONTROL = Figure("control_error", "control error", "octaves", 2, LOWER,
                 "how far measured strokes are from the requested ones, over all test scales")  # fmt: skip
STYLE = Figure("style", "style loss", "", 2, LOWER, "against the painting at the requested scale, mean over s = "
               + ", ".join(f"{scale:g}" for scale in TEST_SCALES))  # fmt: skip
CONTENT = Figure("content", "content distance", "", 2, LOWER, "how far the picture is from its photo")
SECONDS = Figure("seconds", "training time", "s", 0, LOWER, "of training alone")
OBJECTIVES = (CONTROL, STYLE, CONTENT)  # the Pareto front is of these
STYLE_AT = tuple(
    Figure(f"style@{scale:g}", f"style loss, s = {scale:g}", "", 2, LOWER, "against the painting at that scale")
    for scale in TEST_SCALES
)
FIGURES = (
    CONTROL,
    Figure("seen_error", "error in range", "octaves", 2, LOWER, "control error over the trained range alone"),
    Figure("slope", "slope", "", 2, NEITHER, "measured over requested octaves: 1 is full control, 0 none"),
    STYLE,
    *STYLE_AT,
    CONTENT,
    SECONDS,
    Figure("spearman", "rank", "", 2, HIGHER, "1 where a larger request always paints larger strokes"),
    Figure("usable_octaves", "usable range", "octaves", 2, HIGHER, "over which strokes can be relied on"),
    Figure("spread", "spread over photos", "octaves", 2, LOWER, "s.d. of measured strokes at one request"),
    Figure("palette", "palette distance", "", 3, LOWER, "of colours to the painting's"),
)
HEATS = (CONTROL, *STYLE_AT, CONTENT, SECONDS)
_SUMMARY = {
    "slope": "slope",
    "spearman": "spearman",
    "usable_octaves": "usable_octaves",
    "spread": "spread_over_photos_octaves",
}


def figures_of(run: Run) -> dict[str, float]:
    """By key; NaN for what was not measured."""
    found = dict.fromkeys((figure.key for figure in FIGURES), math.nan)
    if run.evaluation is not None:
        found |= _measured(run.evaluation)
    return found | {SECONDS.key: run.seconds}


def at_scale(rows: Sequence[Painted], scale: float) -> list[Painted]:
    return [row for row in rows if math.isclose(row.stroke, scale, rel_tol=SCALE_TOLERANCE)]


def mean(values: Iterable[float]) -> float:
    """Of those that are there."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def shown(value: float, figure: Figure) -> str:
    """With its unit, for sentences; more decimals where all would be 0."""
    if math.isnan(value):
        return "not measured"
    needed = -math.floor(math.log10(abs(value))) if abs(value) > 10**-MOST_DECIMALS else 0
    unit = "octave" if figure.unit == "octaves" and abs(round(value, figure.decimals)) <= 1 else figure.unit
    return f"{fixed(value, max(figure.decimals, needed))} {unit}".rstrip()


def fixed(value: float, decimals: int) -> str:
    """Never -0.00."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _measured(evaluation: Evaluation) -> dict[str, float]:
    rows = evaluation.rows
    style = {f"style@{scale:g}": mean(row.style_loss for row in at_scale(rows, scale)) for scale in TEST_SCALES}
    return {
        CONTROL.key: mean(row.error_octaves for row in rows),
        "seen_error": mean(row.error_octaves for row in rows if row.seen),
        **{key: evaluation.summary.get(name, math.nan) for key, name in _SUMMARY.items()},
        **style,
        STYLE.key: mean(style.values()),
        CONTENT.key: mean(row.content_distance for row in rows),
        "palette": mean(row.palette_distance for row in rows),
    }
