"""`brushnet models`: the models that ship, told from their metadata alone."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from brushnet import samples
from brushnet.commands.failure import report
from brushnet.commands.parser import Parser
from brushnet.commands.terminal import printable
from brushnet.errors import BrushnetError
from brushnet.model_header import read_meta

HEADINGS = ("NAME", "PAINTINGS", "STROKE", "REFERENCE", "SIZE", "STEPS", "LOSS NETWORK", "DEVICE", "TIME")
SHOWN_CHARS = 40  # of a text that the file is free to choose
UNKNOWN = "-"


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = "brushnet stylize NAME photo.jpg -o painting.jpg paints with one of them."
    parser.add_argument("--json", action="store_true", help="everything about each, the training command too")


def run(args: argparse.Namespace) -> int:
    embedded = samples.models()
    entries, failed = [], False
    for name, path in embedded.items():
        try:
            entries.append(entry(name, path))
        except BrushnetError as error:  # one broken file does not hide the others
            report(error, debug=args.debug)
            failed = True
    if not embedded:
        print("no models are embedded in this installation", file=sys.stderr)
    if args.json:
        print(json.dumps(entries, indent=2))
    elif entries:
        print("\n".join(table(entries)))
    return BrushnetError.exit_code if failed else 0


def entry(name: str, path: Path) -> dict[str, Any]:
    """One model of `--json`. None where the file does not say it: its training summary is free to hold anything."""
    meta = read_meta(path)
    return {
        "name": name,
        "file": str(path),
        "bytes": path.stat().st_size,
        "style_names": list(meta.style_names),
        "stroke_mode": meta.stroke_mode,
        "stroke_min": meta.stroke_min,
        "stroke_max": meta.stroke_max,
        "reference_px": meta.reference_px,
        "steps": _number(meta.training.get("steps")),
        "seconds": _number(meta.training.get("seconds")),
        "lossnet": _text(meta.training.get("lossnet")),
        "device": _text(meta.training.get("device")),
        "command": _text(meta.training.get("command")),
        "painting": _text(meta.training.get("painting")),
        "losses": _numbers(meta.training.get("losses")),
        "control": _numbers(meta.training.get("control")),
    }


def _number(value: Any) -> int | float | None:
    is_number = type(value) in (int, float) and 0 <= value < 1e15
    return value if is_number else None


def _numbers(value: Any) -> dict[str, int | float] | None:
    """Figures may be below zero: a slope, a correlation."""
    if not isinstance(value, dict):
        return None
    return {str(name): each for name, each in value.items() if type(each) in (int, float) and abs(each) < 1e15}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def table(entries: list[dict[str, Any]]) -> list[str]:
    """Lines of aligned columns, the headings first."""
    rows = [HEADINGS, *map(_row, entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    low, high, mode = model["stroke_min"], model["stroke_max"], model["stroke_mode"]
    cells = (
        model["name"],
        _paintings(model["style_names"]),
        f"{low:g} ({mode})" if low == high else f"{low:g} to {high:g} ({mode})",
        f"{model['reference_px']} px",
        f"{model['bytes'] / 1e6:.1f} MB",
        model["steps"],
        model["lossnet"],
        model["device"],
        _duration(model["seconds"]),
    )
    return tuple(UNKNOWN if cell is None else _short(str(cell)) for cell in cells)


def _paintings(names: list[str]) -> str:
    return _short(names[0]) if len(names) == 1 else f"{_short(names[0], 20)} and {len(names) - 1} more"


def _short(text: str, chars: int = SHOWN_CHARS) -> str:
    text = printable(text)
    return text if len(text) <= chars else f"{text[: chars - 3]}..."


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
