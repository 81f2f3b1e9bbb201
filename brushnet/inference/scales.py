"""Stroke scales as typed (`--strokes 0.5,1,2`) and as written into file names (`harbour_s0.50.jpg`). Without torch."""

import math
from collections.abc import Sequence

from brushnet.errors import UserError


def parse_strokes(text: str, *, option: str = "--strokes") -> list[float]:
    """One scale or several with commas between. UserError names the option, the value and what is allowed."""
    return [_parse(part.strip(), text, option) for part in text.split(",")]


def labels(scales: Sequence[float]) -> list[str]:
    """Short texts that tell the scales apart: two decimals, more where those would not do."""
    return [f"{scale:.2f}" if float(f"{scale:.2f}") == float(f"{scale:g}") else f"{scale:g}" for scale in scales]


def without_doubles(scales: Sequence[float]) -> list[float]:
    """In order; of scales with the same label only the first stays (clamping makes such)."""
    kept: dict[str, float] = {}
    for label, scale in zip(labels(scales), scales, strict=True):
        kept.setdefault(label, scale)
    return list(kept.values())


def _parse(part: str, text: str, option: str) -> float:
    try:
        scale = float(part)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        got = f"{part!r}" if part == text.strip() else f"{part!r} in {text!r}"
        raise UserError(f"{option} must be a number above 0, or several with commas between (0.5,1,2), got {got}")
    return scale
