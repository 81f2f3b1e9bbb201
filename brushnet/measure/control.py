"""Control curve: which stroke scale a painter (a model, any callable) paints when it is asked for one.

>>> rows = control_curve(paint, photos, strokes=[0.5, 1, 2], judge=scale_judge([meter]))  # doctest: +SKIP
>>> summarise(rows, encoder=meter.name).slope  # doctest: +SKIP

All scales are in octaves, log2 of the stroke scale. Figures are NaN where there is nothing to measure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from brushnet import images
from brushnet.errors import UserError

Paint = Callable[[Tensor, float], Tensor]  # (photo (1, 3, H, W), stroke scale) -> picture (1, 3, H, W)
# (picture, its photo or None where it is not known, requested stroke scale) -> figures by name
Judge = Callable[[Tensor, Tensor | None, float], Mapping[str, float]]

MATCHED, DISTANCE = "matched_octaves", "distance"  # a figure's name is this and the encoder's: matched_octaves/compact


@dataclass(frozen=True, kw_only=True)
class Row:
    """One photo painted at one scale, and what was found in the picture.

    `size_px` is the short side that the photo was brought to (None: as it is); `seen` says whether the scale lies in
    the trained range.
    """

    photo: str
    stroke: float
    figures: Mapping[str, float]
    system: str = ""
    size_px: int | None = None
    seen: bool = True

    @property
    def requested_octaves(self) -> float:
        return math.log2(self.stroke)

    def matched_octaves(self, encoder: str) -> float:
        return self.figures[f"{MATCHED}/{encoder}"]


def some_photos(folder: Path, count: int) -> list[Path]:
    """At most `count` pictures, evenly over the folder: neighbours in the alphabet are often alike.

    UserError where there is none.
    """
    files = images.list_images(folder)
    if not files or count < 1:
        raise UserError(f"--content {folder} --photos {count}: at least one photo is needed")
    return evenly(files, count)


def evenly(every: Sequence, count: int) -> list:
    """At most `count` of them, evenly over the sequence, in order."""
    count = min(count, len(every))
    return [every[len(every) * place // count] for place in range(count)]


def control_curve(
    paint: Paint, photos: Mapping[str, Tensor], *, strokes: Sequence[float], judge: Judge, system: str = ""
) -> list[Row]:
    """Rows photo by photo, in the order of `strokes`; photos (1, 3, H, W) by name."""
    return [
        row
        for name, photo in photos.items()
        for row in photo_curve(partial(paint, photo), photo, name=name, strokes=strokes, judge=judge, system=system)
    ]


def photo_curve(
    paint: Callable[[float], Tensor],
    photo_13HW: Tensor | None,
    *,
    name: str,
    strokes: Sequence[float],
    judge: Judge,
    system: str = "",
    size_px: int | None = None,
    seen: Callable[[float], bool] = lambda stroke: True,
) -> list[Row]:
    """Rows of one photo, which `paint` knows; None where only its paintings are at hand."""
    return [
        Row(
            photo=name,
            stroke=stroke,
            figures=judge(paint(stroke), photo_13HW, stroke),
            system=system,
            size_px=size_px,
            seen=seen(stroke),
        )
        for stroke in strokes
    ]
