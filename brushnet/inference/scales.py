"""Stroke scales as typed (`--strokes 0.5,1,2`) and as written into file names (`harbour_s0.50.jpg`). Without torch."""

import math
from collections.abc import Sequence

from brushnet.errors import UserError


def parse_stroke(text: str) -> float:
    """One scale, for `--stroke`. UserError names the option, the value and what is allowed."""
    scale = _number(text)
    if math.isnan(scale):
        raise UserError(f"--stroke must be a number above 0, got {text!r}; --strokes takes several")
    return scale


def parse_strokes(text: str) -> list[float]:
    """One scale or several with commas between, for `--strokes`."""
    return [_parse(part.strip(), text) for part in text.split(",")]


def parse_per_side(text: str) -> float:
    """For `--stroke-per-side`."""
    scale = _number(text)
    if math.isnan(scale):
        raise UserError(f"--stroke-per-side must be a number above 0, got {text!r}")
    return scale


def parse_range(text: str) -> tuple[float, float]:
    """Two scales, for `--map-range`: that of black and that of white."""
    scales = [_number(part) for part in text.split(",")]
    check_range(scales, repr(text))
    return scales[0], scales[1]


def check_range(scales: Sequence[float], got: str) -> None:
    """UserError unless they are two, finite and above 0."""
    if len(scales) != 2 or not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise UserError(f"--map-range must be two numbers above 0 with a comma between (0.5,2), got {got}")


def labels(scales: Sequence[float]) -> list[str]:
    """Short texts that tell the scales apart: two decimals, more where those would not do."""
    return [f"{scale:.2f}" if float(f"{scale:.2f}") == float(f"{scale:g}") else f"{scale:g}" for scale in scales]


def without_doubles(scales: Sequence[float]) -> list[float]:
    """In order; of scales with the same label only the first stays (clamping makes such)."""
    kept: dict[str, float] = {}
    for label, scale in zip(labels(scales), scales, strict=True):
        kept.setdefault(label, scale)
    return list(kept.values())


def _parse(part: str, text: str) -> float:
    scale = _number(part)
    if math.isnan(scale):
        got = f"{part!r}" if part == text.strip() else f"{part!r} in {text!r}"
        raise UserError(f"--strokes must be a number above 0, or several with commas between (0.5,1,2), got {got}")
    return scale


def _number(text: str) -> float:
    """NaN for what is no stroke scale."""
    try:
        scale = float(text)
    except ValueError:
        return math.nan
    return scale if math.isfinite(scale) and scale > 0 else math.nan
