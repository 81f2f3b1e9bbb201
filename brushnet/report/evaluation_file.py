"""`evaluation.json`: what was measured of a run, read as the stranger's file it may be."""

import math
from pathlib import Path

from brushnet.errors import UserError
from brushnet.report.json_file import LARGEST_NUMBER, Fields, is_number, read_fields
from brushnet.report.runs import Evaluation, Painted

FILE = "evaluation.json"
FOLDER = "evaluation"
FORMAT = 1
MOST_ROWS = 20_000
_LARGEST_STROKE = 64.0  # as of a model
_MOST_OCTAVES = 16.0  # a plot has a line for each


def read_evaluation(folder: Path) -> Evaluation:
    """Of the folder that holds it. UserError says what is wrong."""
    fields = read_fields(folder / FILE)
    if (number := fields.number("format")) != FORMAT:
        raise UserError(f"{FILE}: format must be {FORMAT}, got {number:g}")
    rows = fields.groups("rows")
    if not 0 < len(rows) <= MOST_ROWS:
        raise UserError(f"{FILE}: rows must be 1 to {MOST_ROWS}, got {len(rows)}")
    trained = _strokes(fields, "trained_range")
    if len(trained) != 2 or trained[0] > trained[1]:
        raise UserError(f"{FILE}: trained_range must be two rising stroke scales, got {trained}")
    found = tuple(_painted(row) for row in rows)
    return Evaluation(
        folder=folder,
        painting=fields.text("painting"),
        encoder=fields.text("encoder"),
        lossnet=fields.text("lossnet"),
        stroke_mode=fields.text("stroke_mode"),
        trained=(trained[0], trained[1]),
        scales=tuple(sorted({row.stroke for row in found})),
        photos=tuple(dict.fromkeys(row.photo for row in found)),
        rows=found,
        summary=_summary(fields.group("summary")),
    )


def _painted(row: Fields) -> Painted:
    picture = row.content.get("picture")
    return Painted(
        photo=row.text("photo"),
        stroke=_stroke(row, "stroke"),
        seen=row.flag("seen"),
        octaves=row.number("matched_octaves", largest=_MOST_OCTAVES),
        distance=row.number("match_distance"),
        style_loss=row.number("style_loss"),
        content_distance=row.number("content_distance"),
        ssim=row.number("ssim"),
        palette_distance=row.number("palette_distance"),
        picture=None if picture is None else plain_name(row.text("picture"), row.where),
        system=row.text("system", ""),
        seconds=row.number("seconds"),
    )


def plain_name(name: str, where: str) -> str:
    """UserError for what is not the name of a file in the same folder."""
    if not name or name.startswith(".") or any(each in name for each in "/\\:") or not name.isprintable():
        raise UserError(f"{where}: picture must be a file's name without folder, got {name!r:.60}")
    return name


def _strokes(fields: Fields, name: str) -> list[float]:
    return [_stroke(Fields({name: value}, fields.where), name) for value in fields.items(name)]


def _stroke(fields: Fields, name: str) -> float:
    stroke = fields.number(name)
    if not 1 / _LARGEST_STROKE <= stroke <= _LARGEST_STROKE:
        raise UserError(f"{fields.where}: {name} must be a stroke scale from 1/64 to 64, got {stroke:g}")
    return stroke


def _summary(fields: Fields) -> dict[str, float]:
    """Numbers only; a later brushnet may add anything."""
    found = {}
    for name, value in fields.content.items():
        largest = _MOST_OCTAVES if name.endswith("_octaves") else LARGEST_NUMBER
        if value is None or is_number(value, largest):
            found[name] = math.nan if value is None else float(value)
    return found
