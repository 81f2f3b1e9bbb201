"""Features that are computed from the top down, a band of rows at a time: of a huge picture never more is in memory.

A chain of `Rows` computes what the same layers compute on a whole picture, borders too. Nothing happens until `read`;
where a layer needs its neighbours, the rows that two bands share are kept and not computed twice, so each row of what
lies below is read once, in order. That allows a result to be written over the very features that it is computed from.

Shape letters: C channels, W width, h w size of a map; bands are (1, C, rows, W), channels last in memory.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.nets.convs import EnlargingConv, enlarging
from brushnet.nets.norm import Moments, conditional_instance_norm

Affine = tuple[Tensor, Tensor]

_FLOAT_BYTES = 4


class Rows(Protocol):
    """`row_bytes`: what is in memory while a row is computed, about; `row_work`: its multiplications."""

    channels: int
    height: int
    width: int
    row_bytes: float
    row_work: float

    def read(self, top: int, bottom: int) -> Tensor:
        """Rows `top` to `bottom`, not included."""


class Spilled(Rows, Protocol):
    """Features that were computed and put away; gone when nobody refers to them any more."""

    moments: Moments

    def write(self, top: int, band: Tensor) -> None: ...


class Passes(Protocol):
    """Who goes over pictures. What belongs to a network's structure asks for passes, and does not know how they go."""

    def moments(self, rows: Rows) -> Moments:
        """Mean and variance over all positions."""

    def spill(self, rows: Rows, *, over: Spilled | None = None) -> Spilled:
        """The features put away, in the place of `over` if that is given: `rows` may read it."""


class Held:
    """Of a picture or map that is in memory, (1, C, H, W)."""

    def __init__(self, whole_1CHW: Tensor):
        self.whole = whole_1CHW
        _, self.channels, self.height, self.width = whole_1CHW.shape
        self.row_bytes, self.row_work = 0.0, 0.0

    def read(self, top: int, bottom: int) -> Tensor:
        return self.whole[:, :, top:bottom]


class Pointwise:
    """What `work` makes of the same rows of each of the sources; by default it keeps the first one's channels."""

    def __init__(self, work: Callable[..., Tensor], *sources: Rows, channels: int | None = None):
        first = sources[0]
        self.work, self.sources = work, sources
        self.channels, self.height, self.width = channels or first.channels, first.height, first.width
        self.row_bytes = sum(source.row_bytes for source in sources) + 2 * _bytes(self)
        self.row_work = sum(source.row_work for source in sources) + self.channels * self.width

    def read(self, top: int, bottom: int) -> Tensor:
        return self.work(*(source.read(top, bottom) for source in self.sources))


class Padded:
    """The last column and row repeated up to a size."""

    def __init__(self, source: Rows, height: int, width: int):
        self.source, self.channels, self.height, self.width = source, source.channels, height, width
        self.row_bytes, self.row_work = source.row_bytes + _bytes(self), source.row_work
        self.window = _Window(source)

    def read(self, top: int, bottom: int) -> Tensor:
        last = self.source.height
        band = self.window.read(min(top, last - 1), min(bottom, last), anew=top == 0)
        below = bottom - top - band.shape[2]
        return F.pad(band, (0, self.width - self.source.width, 0, below), mode="replicate")


class Cropped:
    """Top left part."""

    def __init__(self, source: Rows, height: int, width: int):
        self.source, self.channels, self.height, self.width = source, source.channels, height, width
        self.row_bytes, self.row_work = source.row_bytes, source.row_work

    def read(self, top: int, bottom: int) -> Tensor:
        return self.source.read(top, bottom)[..., : self.width]


class Convolved:
    """A convolution with reflect padding that keeps the size, before its stride."""

    def __init__(self, source: Rows, conv: nn.Conv2d):
        self.source, self.conv, self.stride = source, conv, conv.stride[0]
        self.kernel, self.pad = conv.kernel_size[0], int(conv.padding[0])
        self.channels = conv.out_channels
        self.height, self.width = (math.ceil(side / self.stride) for side in (source.height, source.width))
        self.row_bytes = self.stride * (source.row_bytes + 2 * _bytes(source)) + 2 * _bytes(self)
        self.row_work = self.stride * source.row_work + self.width * conv.weight.numel()
        self.window = _Window(source)

    def read(self, top: int, bottom: int) -> Tensor:
        first = top * self.stride - self.pad
        end = (bottom - 1) * self.stride - self.pad + self.kernel
        low, high = max(first, 0), min(end, self.source.height)
        band = self.window.read(low, high, anew=top == 0)
        if (low, high) != (first, end):
            rows = _reflected(torch.arange(first, end, device=band.device), self.source.height) - low
            band = band.index_select(2, rows)
        band = F.pad(band, (self.pad, self.pad, 0, 0), mode="reflect")
        return F.conv2d(band, self.conv.weight, self.conv.bias, self.stride)


class EnlargedConvolved:
    """An EnlargingConv: computed, as there, for the 2 x 2 pixels of a point at a time."""

    def __init__(self, source: Rows, conv: EnlargingConv):
        self.source, self.channels = source, conv.out_channels
        self.height, self.width = 2 * source.height, 2 * source.width
        self.weight, self.bias = (value.detach() for value in enlarging(conv))
        self.row_bytes = source.row_bytes / 2 + 3 * _bytes(self)
        self.row_work = source.row_work / 2 + source.width * self.weight.numel() / 2
        self.window = _Window(source)

    def read(self, top: int, bottom: int) -> Tensor:
        first, end = (top + 1) // 2 - 1, bottom // 2 + 1  # each pair of rows sees two points
        low, high = max(first, 0), min(end, self.source.height)
        band = self.window.read(low, high, anew=top == 0)
        band = F.pad(band, (1, 1, low - first, end - high), mode="replicate")
        pixels = F.pixel_shuffle(F.conv2d(band, self.weight, self.bias), 2)
        above = top - 2 * first - 1  # the first row is beyond the picture, or was read before
        return pixels[:, :, above : above + bottom - top, 1:-1]


class Shuffled:
    """Channels as the 2 x 2 pixels of each point."""

    def __init__(self, source: Rows):
        self.source, self.channels = source, source.channels // 4
        self.height, self.width = 2 * source.height, 2 * source.width
        self.row_bytes, self.row_work = source.row_bytes / 2 + 2 * _bytes(self), source.row_work / 2
        self.window = _Window(source)

    def read(self, top: int, bottom: int) -> Tensor:
        first = top // 2
        band = F.pixel_shuffle(self.window.read(first, (bottom + 1) // 2, anew=top == 0), 2)
        return band[:, :, top - 2 * first : bottom - 2 * first]


class Normed:
    """Conditional instance norm by the moments of the whole picture; `then` is what follows."""

    def __init__(self, source: Rows, affine: Affine, moments: Moments, then: Callable[[Tensor], Tensor] | None = None):
        self.source, self.affine, self.norm_moments, self.then = source, affine, moments, then
        self.channels, self.height, self.width = source.channels, source.height, source.width
        maps = 0 if affine[0].shape[-2:] == (1, 1) else 4
        self.row_bytes = source.row_bytes + (1 + maps) * _bytes(self)
        self.row_work = source.row_work + self.channels * self.width

    def read(self, top: int, bottom: int) -> Tensor:
        scale, shift = (self._band(value, top, bottom) for value in self.affine)
        band = conditional_instance_norm(self.source.read(top, bottom), (scale, shift), moments=self.norm_moments)
        return band if self.then is None else self.then(band)

    def _band(self, value_1Chw: Tensor, top: int, bottom: int) -> Tensor:
        """These rows of the map brought to the features' size, as conditional_instance_norm does it."""
        h, w = value_1Chw.shape[-2:]
        if (h, w) == (1, 1):
            return value_1Chw
        places = ((torch.arange(top, bottom, device=value_1Chw.device) + 0.5) * (h / self.height) - 0.5).clamp_min(0)
        above = places.long().clamp_max(h - 1)
        low, high = value_1Chw.index_select(2, above), value_1Chw.index_select(2, (above + 1).clamp_max(h - 1))
        rows = torch.lerp(low, high, (places - above)[:, None].to(low))
        return F.interpolate(rows, (bottom - top, self.width), mode="bilinear", align_corners=False)


class Resized:
    """Antialiased resize, as `F.interpolate` does it to a whole picture."""

    def __init__(self, source: Rows, height: int, width: int, *, mode: str = "bilinear"):
        self.source, self.channels, self.height, self.width, self.mode = source, source.channels, height, width, mode
        self.zoom = source.height / height
        read = _FLOAT_BYTES * self.channels * source.width
        self.row_bytes = self.zoom * (source.row_bytes + read) + read + 2 * _bytes(self)
        self.row_work = self.zoom * source.row_work + 8 * self.channels * self.width
        self.window = _Window(source)

    def read(self, top: int, bottom: int) -> Tensor:
        if (self.height, self.width) == (self.source.height, self.source.width):
            return self.source.read(top, bottom)
        low, weights_oi = _resize_weights(top, bottom, self.source.height, self.height, mode=self.mode)
        band = self.window.read(low, low + weights_oi.shape[1], anew=top == 0)
        mixed = torch.tensordot(weights_oi.to(band), band.permute(2, 3, 1, 0), 1).permute(3, 2, 0, 1)
        if self.width == self.source.width:
            return mixed
        size = (bottom - top, self.width)
        return F.interpolate(mixed, size, mode=self.mode, antialias=True, align_corners=False)


class Averaged:
    """The mean around each point, up to `reach` points away; beyond the border the last row and column go on."""

    def __init__(self, source: Rows, reach: int):
        self.source, self.reach = source, reach
        self.channels, self.height, self.width = source.channels, source.height, source.width
        self.row_bytes, self.row_work = (
            source.row_bytes + 3 * _bytes(self),
            source.row_work + self.channels * self.width,
        )
        self.window = _Window(source)

    def read(self, top: int, bottom: int) -> Tensor:
        low, high = max(top - self.reach, 0), min(bottom + self.reach, self.height)
        band = self.window.read(low, high, anew=top == 0)
        rows = torch.arange(top - self.reach, bottom + self.reach, device=band.device).clamp(low, high - 1) - low
        band = F.pad(band.index_select(2, rows), (self.reach, self.reach, 0, 0), mode="replicate")
        return F.avg_pool2d(band, 2 * self.reach + 1, stride=1)


class Kept:
    """Writes what it reads into a spill, which then holds it once all has been read."""

    def __init__(self, source: Rows, spilled: Spilled):
        self.source, self.spilled = source, spilled
        self.channels, self.height, self.width = source.channels, source.height, source.width
        self.row_bytes, self.row_work = source.row_bytes, source.row_work

    def read(self, top: int, bottom: int) -> Tensor:
        band = self.source.read(top, bottom)
        self.spilled.write(top, band)
        return band


class _Window:
    """Bands that overlap, further and further down, of a source of which each row is then read once."""

    def __init__(self, source: Rows):
        self.source, self.top, self.band = source, 0, torch.empty(0, 0, 0, 0)

    def read(self, top: int, bottom: int, *, anew: bool) -> Tensor:
        """`anew`: this is a pass's first."""
        end = 0 if anew else self.top + self.band.shape[2]
        if anew or top >= end:
            self.band = self.source.read(top, bottom)
        elif bottom > end:
            self.band = torch.cat([self.band[:, :, top - self.top :], self.source.read(end, bottom)], dim=2)
        else:
            self.band = self.band[:, :, top - self.top :]
        self.top = top
        return self.band[:, :, : bottom - top]


def _bytes(rows: Rows) -> float:
    return _FLOAT_BYTES * rows.channels * rows.width


def _reflected(rows: Tensor, height: int) -> Tensor:
    rows = rows.abs()
    return torch.where(rows >= height, 2 * (height - 1) - rows, rows)


def _resize_weights(top: int, bottom: int, source: int, target: int, *, mode: str) -> tuple[int, Tensor]:
    """First row of `source` that counts, and how much each from there on counts for rows `top` to `bottom` of `target`.

    The filters of torch's antialiased resize.
    """
    zoom = source / target
    wide = max(zoom, 1.0)
    reach = wide * {"bilinear": 1, "bicubic": 2}[mode]
    centres = zoom * (torch.arange(top, bottom, dtype=torch.float64) + 0.5)
    firsts = (centres - reach + 0.5).long().clamp_min(0)
    ends = (centres + reach + 0.5).long().clamp_max(source)
    low, high = int(firsts.min()), int(ends.max())
    places = torch.arange(low, high)
    filtered = _FILTERS[mode](((places + 0.5 - centres[:, None]) / wide).abs())
    filtered *= (places >= firsts[:, None]) & (places < ends[:, None])
    return low, filtered / filtered.sum(dim=1, keepdim=True)


def _triangle(away: Tensor) -> Tensor:
    return (1 - away).clamp_min(0)


def _cubic(away: Tensor) -> Tensor:
    """Keys, a = -0.5, as torch and Pillow have it where they antialias."""
    near = (1.5 * away - 2.5) * away * away + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    return torch.where(away < 1, near, torch.where(away < 2, far, 0.0))


_FILTERS: dict[str, Callable[[Tensor], Tensor]] = {"bilinear": _triangle, "bicubic": _cubic}


def bands(height: int, rows: int) -> Sequence[tuple[int, int]]:
    """Top and bottom of each."""
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]
