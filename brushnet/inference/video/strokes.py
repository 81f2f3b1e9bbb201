"""The brush over a clip's time: one scale, a map of them, or from one scale to another in equal steps of octaves."""

import math
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from brushnet.errors import UserError
from brushnet.inference.brushes import MapBrush, ScaleBrush, open_brushes
from brushnet.inference.video.anchor import CELL_PX, cell_px
from brushnet.models import StyleModel
from brushnet.stroke_map import check_aspect


@dataclass(frozen=True)
class Held:
    """The same for all frames. `map_path` names the file that a map came from."""

    stroke: float | Tensor
    map_path: Path | None = None
    map_size: tuple[int, int] = (1, 1)
    moves = False

    def cell_px(self, model: StyleModel) -> int:
        """Of a canvas that frames are laid on, see `anchor`."""
        if isinstance(self.stroke, Tensor):
            return CELL_PX
        told = math.log2(self.stroke) if model.stroke_mode == "conditioned" else 0.0
        return cell_px(model.net.trunk_zoom(told))

    def at(self, share: float) -> float | Tensor:
        return self.stroke

    def check(self, size: tuple[int, int], name: str) -> None:
        """UserError where a map is of another shape than the frames, both height and width."""
        check_aspect(self.map_size, size, name=f"--stroke-map {self.map_path}", photo=name)


@dataclass(frozen=True)
class Moving:
    """From `start` to `end`; `share` of the clip's time, 0 to 1, that has passed."""

    start: float
    end: float
    moves = True

    def cell_px(self, model: StyleModel) -> int:
        return CELL_PX

    def at(self, share: float) -> float:
        return self.start * (self.end / self.start) ** min(max(share, 0.0), 1.0)

    def check(self, size: tuple[int, int], name: str) -> None:
        pass


Strokes = Held | Moving


def open_strokes(
    model: StyleModel,
    *,
    stroke: float | None = None,
    stroke_from: float | None = None,
    stroke_to: float | None = None,
    stroke_map: Path | None = None,
    map_range: tuple[float, float] | None = None,
    strict: bool = False,
) -> Strokes:
    """By default the model's own scale. One that is not trained is clamped with a warning, or refused if `strict`.

    The end that is not given of a moving brush is the model's own scale.
    """
    if stroke_from is not None or stroke_to is not None:
        for option, other in (("--stroke", stroke), ("--stroke-map", stroke_map)):
            if other is not None:
                raise UserError(f"--stroke-from and --stroke-to move the brush, {option} {other} holds it: give one")
        return _moving(model, stroke_from, stroke_to, strict=strict)
    strokes = [] if stroke is None else [stroke]
    (brush,) = open_brushes(model, strokes=strokes, stroke_map=stroke_map, map_range=map_range, strict=strict)
    if isinstance(brush, MapBrush):
        return Held(brush.stroke_11hw, brush.path, brush.size)
    assert isinstance(brush, ScaleBrush)
    return Held(brush.scale)


def _moving(model: StyleModel, start: float | None, end: float | None, *, strict: bool) -> Moving:
    ends = [model.default_stroke if each is None else each for each in (start, end)]
    return Moving(*(float(model.fit_stroke(float(each), strict=strict)) for each in ends))
