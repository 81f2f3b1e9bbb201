"""Contact sheets: configurations down, stroke scales across, the painting's own strokes on top.

What is shown is chosen in the page; the data for it goes in as JSON.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from brushnet.inference.scales import labels
from brushnet.report.markup import Html, tag
from brushnet.report.pictures import Pictures
from brushnet.report.runs import Evaluation, Run, Sweep

MOST_PICTURES = 4000  # 80 MB: of more runs fewer photos are shown


def sheet_section() -> Html:
    waiting = tag("p", "The contact sheets need JavaScript; their pictures are in pictures/.", klass="note")
    note = tag("p", "Configurations down, requested stroke scales across. Enter or a click enlarges a picture; arrow "
               "keys then go from scale to scale and from configuration to configuration, Escape goes back. "
               "Faded: outside the trained range.", klass="note")  # fmt: skip
    return tag("section", tag("h2", "Contact sheets"), note, tag("form", klass="choosers", id="choosers"),
               tag("div", waiting, id="sheet", klass="sheet scroll"), id="contact-sheets")  # fmt: skip


def sheet_data(sweep: Sweep, pictures: Pictures) -> dict[str, Any]:
    """`crops` and `photos` by painting; `runs` with a picture for each photo and scale."""
    evaluated = [(run, run.evaluation) for run in sweep.runs if run.evaluation]
    scales = sorted({scale for _, evaluation in evaluated for scale in evaluation.scales})
    most = max(1, MOST_PICTURES // max(1, len(evaluated) * len(scales)))
    evaluated = [(run, _of_photos(evaluation, evaluation.photos[:most])) for run, evaluation in evaluated]
    paintings: dict[str, dict[str, Any]] = {}
    for run, evaluation in evaluated:
        known = paintings.setdefault(evaluation.painting, {"crops": {}, "photos": {}})
        if not known["crops"]:
            known["crops"] = _by_label(pictures.painting(evaluation, group=run.name))
        if not known["photos"].keys() >= set(evaluation.photos):
            known["photos"] = pictures.photos(evaluation, group=run.name) | known["photos"]
    return {
        "scales": labels(scales),
        "paintings": paintings,
        "axes": {axis: sweep.axes[axis] for axis in sweep.design},
        "runs": [_run(run, evaluation, pictures) for run, evaluation in evaluated],
    }


def _of_photos(evaluation: Evaluation, photos: Sequence[str]) -> Evaluation:
    return replace(evaluation, photos=tuple(photos), rows=tuple(row for row in evaluation.rows if row.photo in photos))


def _run(run: Run, evaluation: Evaluation, pictures: Pictures) -> dict[str, Any]:
    cells: dict[str, dict[str, list[str]]] = {}
    for row in evaluation.rows:
        if found := pictures.of(evaluation, row.picture, group=run.name):
            (label,) = labels([row.stroke])
            cells.setdefault(row.photo, {})[label] = [found, _told(row.octaves, row.style_loss, row.stroke, row.seen)]
    return {
        "name": run.name,
        "label": run.label(),
        "values": dict(run.values),
        "painting": evaluation.painting,
        "seed": run.seed,
        "own": "" if evaluation.stroke_mode == "conditioned" else "one brush for all",
        "cells": cells,
    }


def _told(octaves: float, style_loss: float, stroke: float, seen: bool) -> str:
    """Caption of one picture."""
    measured = "strokes not measurable" if math.isnan(octaves) else f"measured {2**octaves:.2f}"
    parts = [f"s = {stroke:g}", measured, "" if math.isnan(style_loss) else f"style loss {style_loss:.2f}"]
    parts.append("" if seen else "outside the trained range")
    return ", ".join(part for part in parts if part)


def _by_label(by_scale: dict[float, str]) -> dict[str, str]:
    return dict(zip(labels(list(by_scale)), by_scale.values(), strict=True))
