"""Which painting of a model with several, or which mixture of them: names, an index, or names with weights."""

import difflib
import math
from collections.abc import Mapping, Sequence

from brushnet.errors import UserError

Style = str | int | Mapping[str, float] | None  # a name, an index, weights by name (a mixture); None: the first

SUM_TOLERANCE = 0.01
LISTED = 20  # names in a message


def parse_mix(text: str) -> dict[str, float]:
    """Weights by name of "a=0.3,b=0.7". UserError says how it is written."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.rpartition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not name or math.isnan(weight):
            raise UserError(f"--mix must be names with weights that sum to 1, e.g. a=0.3,b=0.7, got {text}")
        if name in weights:
            raise UserError(f"--mix must name each style once, got {name} twice in {text}")
        weights[name] = weight
    return weights


def style_weights(style: Style, names: Sequence[str]) -> list[float]:
    """Weight of each of the model's styles; they sum to 1. UserError names what is wrong and the styles there are."""
    if isinstance(style, Mapping):
        return _mixture(style, names)
    chosen = style_index(style, names)
    return [float(index == chosen) for index in range(len(names))]


def style_index(style: str | int | None, names: Sequence[str]) -> int:
    if style is None:
        return 0
    if isinstance(style, str) and style in names:
        return names.index(style)
    if isinstance(style, int) and not isinstance(style, bool) and 0 <= style < len(names):
        return style
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    near = difflib.get_close_matches(style, names, n=1) if isinstance(style, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UserError(f"style must be one of {', '.join(names[:LISTED])}{more}, got {style!r}{hint}")


def _mixture(weights: Mapping[str, float], names: Sequence[str]) -> list[float]:
    by_index = [0.0] * len(names)
    for name, weight in weights.items():
        index = style_index(name, names)
        if not isinstance(weight, (int, float)) or not (math.isfinite(weight) and weight >= 0):
            raise UserError(f"weights of a mixture must be finite numbers of at least 0, got {name}={weight}")
        by_index[index] += weight
    total = sum(by_index)
    if not abs(total - 1) <= SUM_TOLERANCE:
        written = (
            ",".join(f"{name}={weight / total:.3g}" for name, weight in weights.items()) if total else "a=0.3,b=0.7"
        )
        raise UserError(f"weights of a mixture must sum to 1 within {SUM_TOLERANCE}, got {total:.4g}; write {written}")
    return [weight / total for weight in by_index]
