"""An evaluation as JSON, as CSV, and as lines for people. What could not be measured is null, empty, or `-`."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from brushnet import __version__
from brushnet.evaluation.judge import CONTENT, LPIPS, PALETTE, SSIM, STYLE
from brushnet.measure.control import Row
from brushnet.measure.control_summary import (
    USABLE_ERROR_OCTAVES,
    at_end,
    level_and_drift,
    resolution_drift,
    summarise,
)
from brushnet.measure.meters import Meter, kinship

if TYPE_CHECKING:
    from brushnet.evaluation.run import Evaluation

HEADINGS: tuple[str, ...] = ("", "px", "encoder", "slope", "error", "rank", "usable s (octaves)", "spread", "drift",
                             "style", "content", "palette")  # fmt: skip
FLATTERING = ("own", "relative")


def as_dict(found: "Evaluation") -> dict[str, Any]:
    """Everything that the figures depend on, and the figures. Without NaN, which JSON has not."""
    request, model = found.request, found.systems[0] if found.request.model else None
    content = {
        "brushnet": __version__,
        "model": request.model,
        "style": request.style,
        "style_name": model.style if model else None,
        "content": request.content,
        "reference_px": found.painting.reference_px,
        "stroke_mode": model.mode if model else None,
        "trained_range": list(model.trained) if model and model.trained else None,
        "trained_by": model.lossnet if model else None,
        "lossnet": found.lossnet,
        "encoders": [
            {
                "name": meter.name,
                "measures_octaves": list(meter.octaves),
                "kinship": kinship(meter.name, model.lossnet) if model else None,
            }
            for meter in found.meters
        ],
        "seconds": round(found.seconds, 1),
        "skipped": [{"file": str(file), "cause": cause} for file, cause in found.skipped],
        "summaries": summaries(found),
        "rows": [_row(row) for row in found.rows],
    }
    return without_nan(content)


def summaries(found: "Evaluation") -> list[dict[str, Any]]:
    """One for each system, size and encoder, in the order in which they were given.

    `at_ends` counts the pictures measured at an end of what the encoder can tell: their strokes are at most, or at
    least, so large. `resolution_drift_octaves` is against the system's first size. `*_drift`: by how much a figure
    changes with the request (see `level_and_drift`).
    """
    made = []
    for system, size_px, rows, first in _groups(found.rows):
        for meter in found.meters:
            drift = math.nan if rows is first else resolution_drift(rows, first, encoder=meter.name)
            made.append(
                {
                    "system": system,
                    "size_px": size_px,
                    "encoder": meter.name,
                    "photos": len({row.photo for row in rows}),
                    **summarise(rows, encoder=meter.name, tells_octaves=meter.octaves)._asdict(),
                    "at_ends": _at_ends(rows, meter),
                    "resolution_drift_octaves": drift,
                    **_levels(rows),
                }
            )
    return made


def as_csv(rows: Sequence[Row]) -> str:
    """One line for each picture, the columns named as in JSON."""
    text = io.StringIO()
    plain = [_row(row) for row in rows]
    writer = csv.DictWriter(text, plain[0], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(without_nan(plain))
    return text.getvalue()


def lines(found: "Evaluation") -> list[str]:
    """A table of the summaries, what is to be known about the encoders, and what was skipped."""
    table = [HEADINGS, *(_cells(each) for each in summaries(found))]
    if all(cells[1] in ("px", "-") for cells in table):
        table = [cells[:1] + cells[2:] for cells in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    text = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in table
    ]
    text.append(
        "octaves: error, spread over photos, drift with the resolution; rank: within each photo; usable: rising, the "
        f"photos' mean error at most {USABLE_ERROR_OCTAVES} at each request, none of them at an end of what can be "
        "told; in brackets: change with the request"
    )
    text += [*_ends(found), *_warnings(found)]
    if found.skipped:
        text.append(f"{len(found.skipped)} skipped:")
        text += [f"{file}: {cause}" for file, cause in found.skipped]
    return text


def _groups(rows: Sequence[Row]) -> list[tuple[str, int | None, list[Row], list[Row]]]:
    """System, size, its rows, and the rows of the system's first size."""
    groups: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.system, row.size_px), []).append(row)
    first: dict[str, list[Row]] = {}
    for (system, _), group in groups.items():
        first.setdefault(system, group)
    return [(system, size_px, group, first[system]) for (system, size_px), group in groups.items()]


def _levels(rows: Sequence[Row]) -> dict[str, float]:
    levels = {}
    for figure in (STYLE, CONTENT, SSIM, LPIPS, PALETTE):
        if figure in rows[0].figures:
            levels[figure], levels[f"{figure}_drift"] = level_and_drift(rows, figure)
    return levels


def _row(row: Row) -> dict[str, Any]:
    return {
        "system": row.system,
        "photo": row.photo,
        "size_px": row.size_px,
        "stroke": row.stroke,
        "requested_octaves": row.requested_octaves,
        "seen": row.seen,
        **row.figures,
    }


def _cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = (2 ** summary[f"usable_{end}_octaves"] for end in ("from", "to"))
    usable = "-" if math.isnan(low) else f"{low:.2f} to {high:.2f} ({summary['usable_octaves']:.1f})"
    return (
        summary["system"],
        str(summary["size_px"] or "-"),
        summary["encoder"],
        *(_number(summary[name]) for name in ("slope", "mean_absolute_error_octaves", "spearman")),
        usable,
        *(_number(summary[name]) for name in ("spread_over_photos_octaves", "resolution_drift_octaves")),
        *(_with_drift(summary, name) for name in (STYLE, CONTENT, PALETTE)),
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _with_drift(summary: Mapping[str, Any], name: str) -> str:
    value, drift = summary[name], summary[f"{name}_drift"]
    change = "" if math.isnan(drift) else f" ({drift:.2g})"
    return "-" if math.isnan(value) else f"{value:.3g}{change}"


def _at_ends(rows: Sequence[Row], meter: Meter) -> int:
    return sum(at_end(row.matched_octaves(meter.name), meter.octaves) for row in rows)


def _ends(found: "Evaluation") -> list[str]:
    text = []
    for meter in found.meters:
        low, high = (2**octaves for octaves in meter.octaves)
        if count := _at_ends(found.rows, meter):
            text.append(
                f"{count} of {len(found.rows)} pictures lie at an end of what {meter.name} can tell, s = {low:.2f} to "
                f"{high:.2f}: their strokes are at most, or at least, so large"
            )
    return text


def _warnings(found: "Evaluation") -> list[str]:
    text = []
    trained_by = found.systems[0].lossnet
    for meter in found.meters:
        kin = kinship(meter.name, trained_by) if found.request.model else "independent"
        if kin in FLATTERING:
            what = "the network" if kin == "own" else f"a relative of {trained_by},"
            text.append(
                f"{meter.name} is {what} that {found.systems[0].name} was trained by: what it measures flatters the "
                "model; measure with an independent one too (--encoder)"
            )
        if kin == "unknown":
            text.append(
                f"whether {meter.name} is independent of what {found.systems[0].name} was trained by is not known "
                f"({trained_by or 'the model does not say'})"
            )
    return text


def without_nan(value: Any) -> Any:
    """What could not be measured is null: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
