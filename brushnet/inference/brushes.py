"""What photos are painted with: a stroke scale, a map of scales, or strokes relative to the picture's side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError, UserError
from brushnet.inference.map_file import check_map_fits, read_map
from brushnet.inference.resolution import paint_per_side, sizing
from brushnet.inference.scales import check_range, labels, without_doubles
from brushnet.models import StyleModel
from brushnet.style_mix import Style


class Brush(Protocol):
    @property
    def label(self) -> str:
        """For file names and the contact sheet, where there are several brushes."""

    def check(self, photo: Path) -> None:
        """UserError where this photo cannot be painted with it: asked before anything is written."""

    def paint(self, model: StyleModel, photo_13HW: Tensor, *, style: Style, name: str) -> Tensor:
        """The painting, (1, 3, H, W). `name` is the photo's, for what is to be said."""

    def in_bands(self, photo_size: tuple[int, int]) -> "InBands":
        """What painting a photo of (height, width) in bands is told."""


@dataclass(frozen=True)
class InBands:
    """`short_px`: the short side that the photo is painted at, where that is not its own; `remark` says so."""

    stroke: float | Tensor
    short_px: int | None = None
    remark: str | None = None


@dataclass(frozen=True)
class ScaleBrush:
    """One scale for all photos and everywhere."""

    scale: float
    label: str

    def check(self, photo: Path) -> None:
        pass

    def paint(self, model: StyleModel, photo_13HW: Tensor, *, style: Style, name: str) -> Tensor:
        return model(photo_13HW, self.scale, style=style)

    def in_bands(self, photo_size: tuple[int, int]) -> InBands:
        return InBands(self.scale)


@dataclass(frozen=True)
class MapBrush:
    """A scale for each point. `size`, height and width, is that of the file."""

    stroke_11hw: Tensor
    size: tuple[int, int]
    path: Path
    label: str = "map"

    def check(self, photo: Path) -> None:
        check_map_fits(self.size, photo, map_path=self.path)

    def paint(self, model: StyleModel, photo_13HW: Tensor, *, style: Style, name: str) -> Tensor:
        return model(photo_13HW, self.stroke_11hw, style=style)

    def in_bands(self, photo_size: tuple[int, int]) -> InBands:
        return InBands(self.stroke_11hw)


@dataclass(frozen=True)
class PerSideBrush:
    """Strokes of the same size beside the short side of each photo."""

    model: StyleModel
    per_side: float
    strict: bool
    label: str = "per-side"

    def check(self, photo: Path) -> None:
        try:
            size = images.size(photo)
        except BrushnetError:  # told when it is to be painted
            return
        sizing(self.model, size, self.per_side, strict=self.strict, name=str(photo))

    def paint(self, model: StyleModel, photo_13HW: Tensor, *, style: Style, name: str) -> Tensor:
        return paint_per_side(model, photo_13HW, self.per_side, style=style, strict=self.strict, name=name)

    def in_bands(self, photo_size: tuple[int, int]) -> InBands:
        size = sizing(self.model, photo_size, self.per_side, strict=self.strict)
        return (
            InBands(size.stroke)
            if size.painted_px == size.short_px
            else InBands(size.stroke, size.painted_px, str(size))
        )


def open_brushes(
    model: StyleModel,
    *,
    strokes: Sequence[float] = (),
    stroke_map: Path | None = None,
    map_range: tuple[float, float] | None = None,
    stroke_per_side: float | None = None,
    strict: bool = False,
) -> Sequence[Brush]:
    """One brush for each of `strokes`, or one for the map, for strokes per side, or for the model's own scale.

    Scales outside the trained range are clamped with a warning, or refused (UserError) if `strict`.
    """
    if map_range is not None:
        check_range(map_range, str(map_range))
        if stroke_map is None:
            raise UserError(f"--map-range {map_range[0]:g},{map_range[1]:g} needs a --stroke-map")
    if bool(strokes) + (stroke_map is not None) + (stroke_per_side is not None) > 1:
        raise UserError(
            f"give one of strokes, stroke_map and stroke_per_side, got {list(strokes)}, {stroke_map} and "
            f"{stroke_per_side}"
        )
    if stroke_per_side is not None:
        return [PerSideBrush(model, stroke_per_side, strict)]
    if stroke_map is None:
        return _scale_brushes(model, strokes, strict=strict)
    return [_map_brush(model, stroke_map, map_range or model.stroke_range, strict=strict)]


def _scale_brushes(model: StyleModel, strokes: Sequence[float], *, strict: bool) -> list[ScaleBrush]:
    fitted = [float(model.fit_stroke(float(stroke), strict=strict)) for stroke in strokes]
    scales = without_doubles(fitted) or [model.default_stroke]
    return [ScaleBrush(scale, label) for scale, label in zip(scales, labels(scales), strict=True)]


def _map_brush(model: StyleModel, path: Path, scales: tuple[float, float], *, strict: bool) -> MapBrush:
    if model.stroke_mode != "conditioned":
        raise UserError(
            f"--stroke-map {path}: this model was trained with stroke.mode={model.stroke_mode} and paints with its "
            f"own stroke {model.default_stroke:g} only; leave the map out"
        )
    fitted = model.fit_stroke(read_map(path, black=scales[0], white=scales[1]), strict=strict)
    assert isinstance(fitted, Tensor)
    return MapBrush(fitted, images.size(path), path)
