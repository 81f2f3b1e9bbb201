"""The network and what is around it for `torch.export`: no size is read from a value by Python.

The same inputs as the ONNX graph, by name: see `picture`. Sizes that follow from values (the trunk's from the stroke
scale) are computed as tensors and become sizes that the exported program knows only when it runs; each brush of a map
is written out, and one that a map does not need works on the smallest trunk.

Shape letters: B batch, C channels, H W picture or feature size, h w size of the stroke map, K styles.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet import stroke_map
from brushnet.inference.finish import STRONGEST
from brushnet.inference.strength import LAYOUT_PX
from brushnet.models import StyleModel
from brushnet.nets import transformer
from brushnet.nets.norm import EPS, FLAT_VARIANCE, feature_moments

Size = tuple[int, int]  # height and width; symbols while tracing
Affine = tuple[Tensor, Tensor]


class Painter(nn.Module):
    """`model(photo, stroke, style=...)` and `finish(strength=...)`."""

    def __init__(self, model: StyleModel):
        super().__init__()
        self.net, self.told = model.net, model.stroke_mode == "conditioned"
        self.low, self.high = model.stroke_range
        self.paintings = len(model.style_names)

    def forward(
        self, photo: Tensor, strength: Tensor, stroke: Tensor | None = None, style: Tensor | None = None
    ) -> Tensor:
        """Painting (B, 3, H, W) in [0, 1]."""
        size = photo.shape[-2], photo.shape[-1]
        weights_1K = photo.new_ones(1, 1) if style is None else style
        if stroke is None:
            painting = self._paint(photo, photo.new_zeros(1, 1, 1, 1), weights_1K)
        else:
            octaves = stroke.clamp(self.low, self.high).log2()
            painting = self._paint(photo, _fit_map(octaves, size), weights_1K)
        return _at_strength(photo, painting, strength)

    def _paint(self, photo: Tensor, octaves_11hw: Tensor, weights_1K: Tensor) -> Tensor:
        height, width = photo.shape[-2], photo.shape[-1]
        head, trunk, tail = self.net._split(self.net.condition(octaves_11hw, weights_1K))
        feats = _padded(photo) - 0.5
        for conv, affine in zip(self.net.down, head, strict=True):
            feats = F.relu(_normed(conv(feats), affine, of_map=self.told))
        if self.net.trunk == "plain" or not self.told:
            feats = self._at_zoom(feats, self.net.trunk_zoom(0.0), trunk, of_map=self.told)
        else:
            feats = self._with_brushes(feats, octaves_11hw, weights_1K)
        feats = _blocks(feats, self.net.sharpen, tail[: len(self.net.sharpen)], of_map=self.told)
        for conv, affine in zip(self.net.up, tail[len(self.net.sharpen) :], strict=True):
            feats = F.relu(_normed(conv(feats), affine, of_map=self.told))
        return _picked(torch.sigmoid(self.net.last(feats)), torch.arange(height), torch.arange(width))

    def _with_brushes(self, feats: Tensor, octaves_11hw: Tensor, weights_1K: Tensor) -> Tensor:
        low, high = octaves_11hw.double().aminmax()
        span = high - low
        steps = ((span - transformer.SAME_OCTAVES) / transformer.BRUSH_STEP_OCTAVES).ceil().clamp_min(0)
        place_11hw = (octaves_11hw - low.float()) * (steps / span.clamp_min(1e-9)).float()
        size = feats.shape[-2], feats.shape[-1]
        numbers = torch.arange(self._most_brushes())
        octaves = low + span * numbers / steps.clamp_min(1)
        coarse = octaves.exp2().clamp_min(transformer.FINEST) * self.net.trunk_zoom(0.0)
        zooms = torch.where(numbers <= steps, coarse, math.inf)
        affines = self.net._split(self.net.condition(octaves.float().view(-1, 1, 1, 1), weights_1K))[1]
        shares_1Nhw = (1 - (place_11hw - numbers.view(1, -1, 1, 1)).abs()).clamp_min(0)
        shares = _resize(shares_1Nhw, size).split(1, dim=1)
        painted = torch.zeros_like(feats)
        for number, share in enumerate(shares):
            own = [(scale[number], shift[number]) for scale, shift in affines]
            painted = painted + self._at_zoom(feats, zooms[number], own, of_map=False) * share
        return painted

    def _at_zoom(self, feats: Tensor, zoom: Tensor | float, affines: Sequence[Affine], *, of_map: bool) -> Tensor:
        if isinstance(zoom, float) and zoom == 1:
            return _blocks(feats, self.net.residual, affines, of_map=of_map)
        size = feats.shape[-2], feats.shape[-1]
        small = _known([_scalar(side) / zoom for side in size], at_least=transformer.SMALLEST_TRUNK_PX)
        return _resize(_blocks(_resize(feats, small), self.net.residual, affines, of_map=of_map), size)

    def _most_brushes(self) -> int:
        octaves = math.log2(self.high / self.low)
        return math.ceil((octaves - transformer.SAME_OCTAVES / 2) / transformer.BRUSH_STEP_OCTAVES) + 1


def _blocks(feats: Tensor, convs: nn.ModuleList, affines: Sequence[Affine], *, of_map: bool) -> Tensor:
    for place in range(0, len(convs), 2):
        inner = F.relu(_normed(convs[place](feats), affines[place], of_map=of_map))
        feats = feats + _normed(convs[place + 1](inner), affines[place + 1], of_map=of_map)
    return feats


def _normed(feats: Tensor, affine: Affine, *, of_map: bool) -> Tensor:
    mean, var = feature_moments(feats)
    if of_map:
        both = _resize(torch.cat(affine), (feats.shape[-2], feats.shape[-1]))
        affine = both[:1], both[1:]
    gain = torch.where(var < FLAT_VARIANCE, 0, (var + EPS).rsqrt())  # as conditional_instance_norm has it
    return (feats - mean) * gain * affine[0] + affine[1]


def _fit_map(octaves_11hw: Tensor, photo_size: Size) -> Tensor:
    sides = [_scalar(side) for side in photo_size]
    cell_px = (torch.maximum(*sides) / stroke_map.MOST_CELLS).clamp_min(stroke_map.CELL_PX)
    grid = _known([(side / cell_px).ceil() for side in sides], at_least=1)
    return stroke_map._smoothed(stroke_map._smoothed(_resize(octaves_11hw, grid)).mT).mT


def _at_strength(photo: Tensor, painting: Tensor, strength_1: Tensor) -> Tensor:
    """`inference.strength.at_strength` without its branches: at 0 and at 1 the sums are exact."""
    strength = strength_1.clamp(0, STRONGEST)
    seen = strength.clamp_max(1)
    detail = 1 - (1 - seen) ** 3
    size = photo.shape[-2], photo.shape[-1]
    small = _known([_scalar(side) / LAYOUT_PX for side in size], at_least=1)
    layout = _resize(_resize(painting, small) - _resize(photo, small), size)
    mixed = (photo * (1 - detail) + painting * detail + layout * (seen - detail)).clamp(0, 1)
    step = (strength - 1).clamp_min(0) * (mixed - _resize(_resize(mixed, small), size))
    room = torch.where(step > 0, 1 - mixed, mixed)
    return mixed + step * room / (step.abs() + room).clamp_min(1e-6)


def _padded(photo: Tensor) -> Tensor:
    """Repeats the last row and column up to a multiple of the stride, and up to the smallest workable size."""
    height, width = photo.shape[-2], photo.shape[-1]
    sides = [(_scalar(side) / transformer.STRIDE).ceil() for side in (height, width)]
    smallest = transformer.SMALLEST_PX // transformer.STRIDE
    rows, columns = (
        torch.arange(transformer.STRIDE * quarter).clamp(max=side - 1)
        for quarter, side in zip(_known(sides, at_least=smallest), (height, width), strict=True)
    )
    return _picked(photo, rows, columns)


def _picked(picture: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return picture.index_select(2, rows).index_select(3, columns)


def _resize(feats_BCHW: Tensor, size: Size) -> Tensor:
    """Antialiased and bilinear: as `transformer._resize`, from sizes that are known only when the program runs."""
    height, width = feats_BCHW.shape[-2], feats_BCHW.shape[-1]
    return _triangles(height, size[0]) @ (feats_BCHW @ _triangles(width, size[1]).mT)


def _triangles(old: int, new: int) -> Tensor:
    """Weights of `old` points in each of `new` ones. (new, old)."""
    ratio = _scalar(old) / _scalar(new)
    centres_n1 = (torch.arange(new)[:, None] + 0.5) * ratio
    weights = (1 - (torch.arange(old) + 0.5 - centres_n1).abs() / ratio.clamp_min(1)).clamp_min(0)
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def _scalar(side: int) -> Tensor:
    return torch.scalar_tensor(side, dtype=torch.float64)


def _known(sides: Sequence[Tensor], *, at_least: int) -> Size:
    """Rounded, as sizes of what is computed next."""
    known = [side.round().clamp_min(at_least).long().item() for side in sides]  # not int(), which would need the value
    for side in known:
        torch._check(side >= at_least)
    return cast(Size, tuple(known))
