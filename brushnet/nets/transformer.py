"""The residual transformer network (Johnson et al. 2016), told the stroke scale and working at that of its strokes.

Where it differs from the paper: reflect padding on every convolution, nearest-neighbour enlargement and a convolution
instead of transposed convolutions (no checkerboard), conditional instance norm instead of batch norm, and a sigmoid at
the end, so that what the loss sees is a picture in [0, 1] and not something that is clipped later.

Its residual blocks work at a resolution that goes with the stroke scale: to them a stroke is as large at any s, so that
what is learned at one scale holds for all, a large brush sees far and passes on no detail finer than itself, and is
cheaper to paint with. A block at a quarter of the resolution then draws the strokes sharply.

Shape letters: B batch, C channels, H W picture size, h w size of the stroke map, K styles.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.devices import sent
from brushnet.nets.condition import ConditionEmbedding
from brushnet.nets.convs import Conv, EnlargingConv, SubPixelConv
from brushnet.nets.norm import Affine, Carried, Moments, conditional_instance_norm, feature_moments, normed_with_moments

STRIDE = 4  # the encoder's; the trunk's is STRIDE * s where it is scaled
FINEST = 0.5  # stroke scale below which the trunk gets no finer: at 0.35 it would cost twice as much again
SMALLEST_PX = 20  # reflect padding of 4 at full and of 1 at quarter resolution needs this much, with a margin
SMALLEST_TRUNK_PX = 4
BRUSH_STEP_OCTAVES = 0.5  # of a stroke map: between two brushes features are interpolated
SAME_OCTAVES = 1e-3  # range of a map that is one scale: resizing and smoothing leave 1e-7 of it

T = TypeVar("T")
Normed = tuple[Tensor, list[Moments]]  # features, and the moments that they were normalised by
Known = Moments | Carried  # what a norm layer is given: moments to use, or those to carry on with its own


class Brush(NamedTuple):
    """One stroke scale that is painted with: for which samples of a batch, and how strongly at each point."""

    octaves: float
    samples: list[int]
    share: Tensor | None  # (1, 1, h, w) in [0, 1]; None: everywhere


class ResidualTransformer(nn.Module):
    """Photo in, painting of the same size out; strokes as large as the condition says.

    `width` is the channel count at full resolution, doubled at each halving: 32 is the paper's network, 16 the slim
    one. With `trunk` `plain` the blocks work at one resolution at any s, in the paper a quarter: its receptive field
    at the output is 109 px with 5 blocks, that of a scaled trunk about 90 * s + 40 px. `trunk_px` pixels of the photo
    are a position of the trunk, of a scaled one at s = 1; twice as many see twice as far.

    With `ends` `patch` nothing is computed at full resolution: the first convolution takes overlapping patches of 8 x 8
    px to a quarter of it, and the last one makes 2 x 2 px of a point at half of it.
    """

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 5,
        stroke_embedding: int = 64,
        styles: int = 1,
        trunk: str = "scaled",
        trunk_px: float = float(STRIDE),
        ends: str = "full",
    ):
        super().__init__()
        assert trunk in ("scaled", "plain")
        assert ends in ("full", "patch")
        self.width, self.blocks, self.stroke_embedding, self.styles = width, blocks, stroke_embedding, styles
        self.trunk, self.trunk_px, self.ends = trunk, float(trunk_px), ends
        wide = STRIDE * width
        self.down = nn.ModuleList(_to_quarter(ends, width))
        self.residual = nn.ModuleList(Conv(wide, wide) for _ in range(2 * blocks))
        self.sharpen = nn.ModuleList(Conv(wide, wide) for _ in range(2 if trunk == "scaled" else 0))
        *up, last = _from_quarter(ends, width)
        self.up, self.last = nn.ModuleList(up), last  # in this order: it is that of Adam's state in checkpoints
        normed = [*self.down, *self.residual, *self.sharpen, *self.up]
        norms = [conv.out_channels for conv in normed if isinstance(conv, Conv)]
        self.condition = ConditionEmbedding(norms, embedding=stroke_embedding, styles=styles)

    def trunk_zoom(self, octaves: float) -> float:
        """How many times smaller the blocks' features are than a quarter of the resolution, at a scale of log2 s."""
        return self.trunk_px / STRIDE * (1.0 if self.trunk == "plain" else max(FINEST, 2.0**octaves))

    def trunk_size(self, size: Sequence[int], octaves: float) -> tuple[int, ...]:
        """Height and width of the blocks' features at a scale of log2 s, where those at a quarter have this size."""
        zoom = self.trunk_zoom(octaves)
        return tuple(max(SMALLEST_TRUNK_PX, round(side / zoom)) for side in size)

    def add_paintings(self, count: int) -> None:
        """Appends `count` paintings to a trained network and leaves nothing but what belongs to paintings to train.

        As long as no other painting is drawn, the gradient of its rows is zero and Adam leaves them to the bit.
        """
        self.styles += count
        self.condition.add_paintings(count)
        self.requires_grad_(False)
        for parameter in self.condition.of_paintings():
            parameter.requires_grad_(True)

    def forward(
        self,
        photo_B3HW: Tensor,
        log2_stroke_B1hw: Tensor,
        style_weights_BK: Tensor,
        *,
        moments: Sequence[Known] | None = None,
    ) -> Tensor:
        """Painting in [0, 1], (B, 3, H, W), for a photo in [0, 1] of any size.

        `log2_stroke` is (B or 1, 1, h, w) in octaves, 1 x 1 for one scale everywhere; `style_weights` (B or 1, K) sum
        to 1; `moments` replaces the feature statistics of each norm layer (see `norm_moments`), or carries them on.
        """
        return self._paint(photo_B3HW, log2_stroke_B1hw, style_weights_BK, moments)[0]

    def paint_with_moments(
        self,
        photo_B3HW: Tensor,
        log2_stroke_B1hw: Tensor,
        style_weights_BK: Tensor,
        *,
        moments: Sequence[Known] | None = None,
    ) -> Normed:
        """As `forward`, and in the same pass the moments that each norm layer used, its own or those it was given."""
        return self._paint(photo_B3HW, log2_stroke_B1hw, style_weights_BK, moments)

    def norm_moments(self, photo_B3HW: Tensor, log2_stroke_B1hw: Tensor, style_weights_BK: Tensor) -> list[Moments]:
        """Statistics that every norm layer sees on this photo, in the order that `forward(moments=...)` takes.

        Those of a scaled trunk come once for each brush.
        """
        return self._paint(photo_B3HW, log2_stroke_B1hw, style_weights_BK, None)[1]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles what computes; which brushes there are is seen only from the values of the condition."""
        for part in (self._encode, self._blocks, self._decode):
            setattr(self, part.__name__, torch.compile(part, *args, **kwargs))

    def affines(
        self, log2_stroke_B1hw: Tensor, style_weights_BK: Tensor, device: torch.device, *, most: int | None = None
    ) -> list[Affine]:
        """Scale and shift of each norm layer, on `device`. A condition on the CPU needs no waiting for a GPU.

        `most` paintings are mixed in a sample at most; None: that is read from the weights.
        """
        return self.condition(sent(log2_stroke_B1hw, device), style_weights_BK, most=most)

    def paint_with_affines(
        self,
        photo_B3HW: Tensor,
        log2_stroke_B1hw: Tensor,
        style_weights_BK: Tensor,
        affines: list[Affine],
        *,
        moments: Sequence[Known] | None = None,
    ) -> Normed:
        """As `paint_with_moments`, given what `affines` makes of the condition."""
        height, width = photo_B3HW.shape[-2:]
        head, trunk, tail = self._split(affines)
        known = self._split(list(moments)) if moments is not None else (None, None, None)
        feats, in_head = self._encode(_pad_to_stride(photo_B3HW), head, known[0])
        if self.trunk == "plain":
            feats, in_trunk = self._at_zoom(feats, 0.0, trunk, known[1])
        else:
            feats, in_trunk = self._scaled_trunk(feats, log2_stroke_B1hw, style_weights_BK, trunk, known[1])
        painting, in_tail = self._decode(feats, tail, known[2])
        return painting[..., :height, :width], [*in_head, *in_trunk, *in_tail]

    def _paint(
        self, photo: Tensor, log2_stroke: Tensor, style_weights: Tensor, moments: Sequence[Known] | None
    ) -> Normed:
        """The painting, and the moments that it was normalised by."""
        # A condition on the CPU stays there for `brushes`, which reads it: a GPU would have to be waited for.
        affines = self.affines(log2_stroke, style_weights, photo.device)
        return self.paint_with_affines(photo, log2_stroke, style_weights, affines, moments=moments)

    def _split(self, of_norms: list[T]) -> tuple[list[T], list[T], list[T]]:
        """What belongs to the norm layers before, in and after the trunk."""
        first, last = len(self.down), len(of_norms) - len(self.sharpen) - len(self.up)
        return of_norms[:first], of_norms[first:last], of_norms[last:]

    def _encode(self, photo: Tensor, affines: list[Affine], moments: list[Known] | None) -> Normed:
        used: list[Moments] = []
        feats = photo - 0.5
        for place, conv in enumerate(self.down):
            feats = F.relu_(_normed(conv(feats), affines[place], moments, used))
        return feats, used

    def _blocks(
        self, feats: Tensor, convs: nn.ModuleList, affines: list[Affine], moments: list[Known] | None
    ) -> Normed:
        used: list[Moments] = []
        for place in range(0, len(convs), 2):
            inner = F.relu_(_normed(convs[place](feats), affines[place], moments, used))
            feats = feats + _normed(convs[place + 1](inner), affines[place + 1], moments, used)
        return feats, used

    def _decode(self, feats: Tensor, affines: list[Affine], moments: list[Known] | None) -> Normed:
        count = len(self.sharpen)
        feats, used = self._blocks(feats, self.sharpen, affines[:count], moments)
        for place, conv in enumerate(self.up, start=count):
            feats = F.relu_(_normed(conv(feats), affines[place], moments, used))
        return torch.sigmoid(self.last(feats)), used

    def _scaled_trunk(
        self,
        feats: Tensor,
        log2_stroke: Tensor,
        style_weights: Tensor,
        affines: list[Affine],
        moments: list[Known] | None,
    ) -> Normed:
        """The residual blocks with every brush that is asked for, each at its resolution, put together again.

        `affines` are those of the condition as it is; the brushes of a map have their own.
        """
        size = feats.shape[-2:]
        rows: list[Tensor | float] = [0.0] * len(feats)
        used: list[Moments] = []
        for brush in brushes(log2_stroke, len(feats)):
            whole = len(brush.samples) == len(feats)
            chosen = _as_slice(brush.samples)
            few = feats if whole else feats[chosen]
            if brush.share is not None:
                weights = style_weights if whole or len(style_weights) == 1 else style_weights[chosen]
                octaves = feats.new_full((1, 1, 1, 1), brush.octaves, dtype=log2_stroke.dtype)
                own = self._split(self.condition(octaves, weights))[1]
            else:
                own = affines if whole else [(scale[chosen], shift[chosen]) for scale, shift in affines]
            known = moments[len(used) :] if moments is not None else None
            few, of_brush = self._at_zoom(few, brush.octaves, own, known)
            used += of_brush
            if brush.share is not None:
                few = few * _resize(sent(brush.share, few.device).to(few.dtype), size)
            elif whole:
                return few, used
            for place, sample in enumerate(brush.samples):
                rows[sample] = rows[sample] + few[place : place + 1]
        return torch.cat([row for row in rows if isinstance(row, Tensor)]), used

    def _at_zoom(self, feats: Tensor, octaves: float, affines: list[Affine], moments: list[Known] | None) -> Normed:
        """The residual blocks at the resolution of a scale, and back."""
        size = feats.shape[-2:]
        small = _resize(feats, self.trunk_size(size, octaves))
        painted, used = self._blocks(small, self.residual, affines, moments)
        return _resize(painted, size), used


def brushes(log2_stroke_B1hw: Tensor, batch: int) -> Iterator[Brush]:
    """The stroke scales that a batch of `batch` photos is to be painted with; shares of each point sum to 1.

    One for all samples of the same scale. A map has both ends of its range and enough in between: each of its points
    is painted with the two that are nearest.
    """
    if log2_stroke_B1hw.shape[-2:] == (1, 1):
        by_octaves: dict[float, list[int]] = {}
        for sample, octaves in enumerate(log2_stroke_B1hw.flatten().tolist() * (batch // len(log2_stroke_B1hw))):
            by_octaves.setdefault(octaves, []).append(sample)
        yield from (Brush(octaves, samples, None) for octaves, samples in by_octaves.items())
        return
    for sample, each_1hw in enumerate(log2_stroke_B1hw):
        samples = [sample] if len(log2_stroke_B1hw) > 1 else list(range(batch))
        low, high = (float(end) for end in each_1hw.aminmax())
        steps = math.ceil((high - low - SAME_OCTAVES) / BRUSH_STEP_OCTAVES)
        if not steps:
            yield Brush(low, samples, None)
            continue
        place_1hw = (each_1hw - low) * (steps / (high - low))
        for step in range(steps + 1):
            share_11hw = (1 - (place_1hw - step).abs()).clamp_min(0)[None]
            if share_11hw.any():
                yield Brush(low + (high - low) * step / steps, samples, share_11hw)


def _as_slice(samples: list[int]) -> slice | list[int]:
    """Neighbours as a slice: a list would be sent to a GPU, which the host waits for."""
    first, last = samples[0], samples[-1]
    return slice(first, last + 1) if samples == list(range(first, last + 1)) else samples


def _to_quarter(ends: str, width: int) -> list[Conv]:
    wide = STRIDE * width
    if ends == "patch":
        return [Conv(3, wide, kernel=2 * STRIDE, stride=STRIDE)]
    return [Conv(3, width, kernel=9), Conv(width, 2 * width, stride=2), Conv(2 * width, wide, stride=2)]


def _from_quarter(ends: str, width: int) -> list[Conv]:
    """The last one makes the painting."""
    half = EnlargingConv(STRIDE * width, 2 * width)
    if ends == "patch":
        return [half, SubPixelConv(2 * width, 3)]
    return [half, EnlargingConv(2 * width, width), Conv(width, 3, kernel=9)]


def _normed(feats: Tensor, affine: Affine, moments: list[Known] | None, used: list[Moments]) -> Tensor:
    """By the moments at the place that `used` has reached, by its own where there are none; adds them to `used`."""
    known = None if moments is None else moments[len(used)]
    if known is None:
        normed, stats = normed_with_moments(feats, affine)
    else:
        stats = known.with_own(feature_moments(feats)) if isinstance(known, Carried) else known
        normed = conditional_instance_norm(feats, affine, moments=stats)
    used.append(stats)
    return normed


def _resize(feats_BCHW: Tensor, size: Sequence[int]) -> Tensor:
    """In float32: on a CPU torch has no antialiasing for bfloat16."""
    if tuple(feats_BCHW.shape[-2:]) == tuple(size):
        return feats_BCHW
    resized = F.interpolate(feats_BCHW.float(), tuple(size), mode="bilinear", antialias=True, align_corners=False)
    return resized.to(feats_BCHW.dtype)


def _pad_to_stride(photo_B3HW: Tensor) -> Tensor:
    """Repeats the last row and column up to a multiple of the stride, and up to the smallest workable size."""
    height, width = photo_B3HW.shape[-2:]
    down = max(-height % STRIDE, SMALLEST_PX - height)
    right = max(-width % STRIDE, SMALLEST_PX - width)
    if not (down or right):
        return photo_B3HW
    return F.pad(photo_B3HW, (0, right, 0, down), mode="replicate")
