"""What trained runs are compared by: the same few photos at the same scales, painted and measured as training ends.

`RUN/evaluation/` holds the pictures, the photos, parts of the painting, and `evaluation.json`. `brushnet evaluate`
looks closer, at larger pictures, and at any other system.
"""

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from brushnet import __version__, images
from brushnet.evaluation.judge import CONTENT, PALETTE, SSIM, STYLE, Judge
from brushnet.evaluation.records import without_nan
from brushnet.evaluation.request import MOST_ENLARGED
from brushnet.evaluation.sheet import Sheet
from brushnet.evaluation.systems import TOLERANCE
from brushnet.files import write_whole
from brushnet.inference.scales import labels
from brushnet.measure.control import DISTANCE, Row
from brushnet.measure.control_summary import level_and_drift, summarise
from brushnet.measure.meters import Meter
from brushnet.models import StyleModel
from brushnet.report.control_plot import control_figure, curves_of
from brushnet.report.figure import write_figure
from brushnet.strokes import SMALLEST_STYLE_PX, Painting
from brushnet.training.loggers import Evaluated

FORMAT = 1
FOLDER, FILE = "evaluation", "evaluation.json"  # in a run's folder
SHEET, CONTROL = "sheet.jpg", "control.png"
SCALES = (0.35, 0.5, 0.71, 1.0, 1.41, 2.0, 2.8)
PHOTOS = 4
PHOTO_PX = 256  # short side: four photos at seven scales take ten seconds on two CPU cores, at 512 px four times that
QUALITY = 90
_TAKEN = ("sheet", "painting_s")  # how other pictures of the folder are called
_FIGURES = (STYLE, CONTENT, SSIM, PALETTE)

Progress = Callable[[int, int], None]  # pictures measured, in all


@torch.inference_mode()
def judge_run(
    model: StyleModel,
    photos: Sequence[tuple[str, Tensor]],
    painting: Painting,
    *,
    style: int,
    judge: Judge,
    lossnet: str,
    out: Path,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Writes `out`, the evaluation file last, and returns what it holds.

    `photos` are names and pictures (1, 3, H, W); `style` is the painting's index among the model's. A model that is not
    told s paints each photo once, with its own stroke, and is measured against every request.
    """
    started = time.perf_counter()
    scales = scales_for(painting)
    out.mkdir(parents=True, exist_ok=True)
    for scale, label in zip(scales, labels(scales), strict=True):
        images.write(_middle(painting.render(scale)), out / f"painting_s{label}.jpg", quality=QUALITY)
    rows: list[Row] = []
    files: list[str] = []
    sheet = Sheet(painting, scales)
    for name, photo in _named(photos):
        images.write(photo, out / f"{name}.jpg", quality=QUALITY)
        painted: dict[float, tuple[str, Tensor]] = {}
        for scale in scales:
            told = fitting(model, scale)
            if told not in painted:
                file = f"{name}_s{labels([told])[0]}.jpg"
                painted[told] = file, model(photo, told, style=style).cpu()
                images.write(painted[told][1], out / file, quality=QUALITY)
            file, picture = painted[told]
            sheet.add("", name, scale, picture, photo)
            figures = judge(picture, photo, scale)
            rows.append(
                Row(photo=name, stroke=scale, figures=figures, size_px=PHOTO_PX, seen=math.isclose(told, scale))
            )
            files.append(file)
            if progress:
                progress(len(rows), len(scales) * len(photos))
    found = _content(model, painting, rows, files, meter=judge.meters[0], lossnet=lossnet, scales=scales)
    images.write(sheet.picture(), out / SHEET, quality=QUALITY)
    curves = {judge.meters[0].name: curves_of(rows, encoder=judge.meters[0].name)}
    write_figure(control_figure(curves, trained=model.stroke_range), out / CONTROL)
    found["seconds"] = round(time.perf_counter() - started, 2)
    found = without_nan(found)
    write_whole(out / FILE, (json.dumps(found, indent=1, allow_nan=False) + "\n").encode(), flushed=False)
    return found


def told(found: Mapping[str, Any], out: Path) -> Evaluated:
    """For a logger, of the figures those that could be measured."""
    figures = {name: value for name, value in found["summary"].items() if value is not None and math.isfinite(value)}
    for scale in found["scales"]:
        losses = [row[STYLE] for row in found["rows"] if row["stroke"] == scale and row[STYLE] is not None]
        if losses:
            figures[f"{STYLE}_s{labels([scale])[0]}"] = sum(losses) / len(losses)
    return Evaluated(figures, found["rows"], {"control": out / CONTROL, "sheet": out / SHEET})


def scales_for(painting: Painting) -> list[float]:
    """Those of SCALES at which the painting has statistics and is more than a blur."""
    largest, smallest = MOST_ENLARGED * painting.largest_scale, SMALLEST_STYLE_PX / painting.reference_px
    return [scale for scale in SCALES if smallest <= scale <= largest] or [1.0]


def fitting(model: StyleModel, scale: float) -> float:
    """What the model paints with when it is asked for a scale."""
    if model.stroke_mode != "conditioned":
        return model.default_stroke
    low, high = model.stroke_range
    return min(max(scale, low), high) if not low / TOLERANCE <= scale <= high * TOLERANCE else scale


def _named(photos: Sequence[tuple[str, Tensor]]) -> list[tuple[str, Tensor]]:
    """Under names that are file names, and different: keys of shards hold slashes."""
    found: dict[str, Tensor] = {}
    for key, photo in photos:
        plain = re.sub(r"[^\w.-]+", "_", Path(key).stem).strip("._") or "photo"
        plain = f"photo-{plain}" if plain.startswith(_TAKEN) else plain
        names = (plain, *(f"{plain}-{number}" for number in range(2, len(photos) + 2)))
        found[next(name for name in names if name not in found)] = photo
    return list(found.items())


def _middle(picture_13HW: Tensor) -> Tensor:
    """The middle of S_s, no larger than the photos: strokes as large as they should be in the pictures."""
    height, width = picture_13HW.shape[-2:]
    sides = min(height, PHOTO_PX), min(width, PHOTO_PX)
    top, left = (height - sides[0]) // 2, (width - sides[1]) // 2
    return picture_13HW[..., top : top + sides[0], left : left + sides[1]]


def _content(
    model: StyleModel,
    painting: Painting,
    rows: Sequence[Row],
    files: Sequence[str],
    *,
    meter: Meter,
    lossnet: str,
    scales: Sequence[float],
) -> dict[str, Any]:
    summary: dict[str, Any] = summarise(rows, encoder=meter.name, tells_octaves=meter.octaves)._asdict()
    for figure in _FIGURES:
        summary[figure], summary[f"{figure}_drift"] = level_and_drift(rows, figure)
    own = [row for row in rows if row.seen] or rows
    summary["seen_error_octaves"] = summarise(own, encoder=meter.name).mean_absolute_error_octaves
    summary["seen_style_loss"] = level_and_drift(own, STYLE)[0]
    return {
        "format": FORMAT,
        "brushnet": __version__,
        "painting": painting.name,
        "size_px": PHOTO_PX,
        "encoder": meter.name,
        "lossnet": lossnet,
        "stroke_mode": model.stroke_mode,
        "trained_range": list(model.stroke_range),
        "scales": list(scales),
        "photos": list(dict.fromkeys(row.photo for row in rows)),
        "rows": [_row(row, file, meter.name) for row, file in zip(rows, files, strict=True)],
        "summary": summary,
    }


def _row(row: Row, file: str, encoder: str) -> dict[str, Any]:
    return {
        "photo": row.photo,
        "stroke": row.stroke,
        "requested_octaves": row.requested_octaves,
        "seen": row.seen,
        "matched_octaves": row.matched_octaves(encoder),
        "match_distance": row.figures[f"{DISTANCE}/{encoder}"],
        **{figure: row.figures[figure] for figure in _FIGURES},
        "picture": file,
    }
