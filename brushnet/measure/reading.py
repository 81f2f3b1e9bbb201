"""What `brushnet measure` tells of one picture: its stroke width, and its stroke scale against a painting."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from brushnet import images
from brushnet.errors import ImageError, UserError
from brushnet.measure.meters import Meter
from brushnet.measure.width import Width, stroke_width


class Scale(NamedTuple):
    """Matched scale by one encoder; NaN, and None, where it finds nothing to measure."""

    octaves: float
    confidence: tuple[float, float] | None  # about 95 %, in octaves; infinite where no more than an end is known
    distance: float
    reason: str = ""


class Reading(NamedTuple):
    """`width` is None where the picture could not be read; `failure` says why."""

    file: Path
    width: Width | None
    scales: dict[str, Scale]  # by encoder; empty without a painting
    failure: str = ""

    @property
    def scale(self) -> Scale:
        """By the first encoder that finds one; else the first one's, with its reason."""
        scales = list(self.scales.values()) or [_no_scale("")]
        return next((scale for scale in scales if math.isfinite(scale.octaves)), scales[0])


def read(file: Path, meters: Sequence[Meter]) -> Reading:
    """A picture that cannot be read does not raise: its reading says so."""
    try:
        picture = images.read(file)
    except (ImageError, UserError) as error:  # UserError where it has gone meanwhile
        return Reading(file, None, {}, str(error))
    return Reading(file, stroke_width(picture), {meter.name: match(picture, meter) for meter in meters})


def match(picture_13HW: Tensor, meter: Meter) -> Scale:
    """Scale by one encoder; none where all that it can say is "of any scale"."""
    try:
        found = meter.match(picture_13HW)
    except UserError as error:  # too small for the meter: one picture among others, no wrong request
        return _no_scale(str(error))
    if math.isnan(found.octaves):
        return _no_scale("no texture to compare with the painting")
    if math.isinf(found.low) and math.isinf(found.high):
        return _no_scale("it could be of any scale of the painting")
    return Scale(found.octaves, (found.low, found.high), found.distance)


def _no_scale(reason: str) -> Scale:
    return Scale(math.nan, None, math.nan, reason)


def as_entry(reading: Reading) -> dict[str, Any]:
    """One picture of `--json`: null where nothing can be measured, widths in px, scales in octaves.

    An open end of a confidence is null too."""
    scale, width = reading.scale, reading.width
    return {
        "file": str(reading.file),
        "stroke_px": _number(width.stroke_px) if width else None,
        "stroke_clear": width.clear if width and not width.reason else None,
        "stroke_px_spread": [_number(px) for px in width.spread_px] if width and not width.reason else None,
        "octave_profile": [round(share, 4) for share in width.octave_profile] if width else None,
        "matched_octaves": _number(scale.octaves),
        "matched_scale": _number(2**scale.octaves),
        "confidence": _interval(scale),
        "match_distance": _number(scale.distance),
        "encoders": {
            name: {
                "matched_octaves": _number(each.octaves),
                "confidence": _interval(each),
                "match_distance": _number(each.distance),
            }
            for name, each in reading.scales.items()
        },
        "reason": reading.failure or (width.reason if width else "") or scale.reason or None,
    }


def _interval(scale: Scale) -> list[float | None] | None:
    return [_number(end) for end in scale.confidence] if scale.confidence else None


def _number(value: float) -> float | None:
    """NaN is not JSON."""
    return round(value, 4) if math.isfinite(value) else None
