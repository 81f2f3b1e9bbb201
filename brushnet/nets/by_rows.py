"""The residual transformer on a picture of any size, in bands of rows: the same layers, and the same statistics.

A norm layer needs the mean and variance of its whole input before its first row can come out, so there is a pass over
the picture for each. What a pass computes is put away where it is small: from a quarter of the resolution on. The
layers above that on the way in, if there are any, and on the way out are computed anew by each pass that needs them;
that costs less than reading and writing them would.

Shape letters: h w size of the stroke map, K styles.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.nets.convs import Conv, EnlargingConv, SubPixelConv
from brushnet.nets.rows import (
    Affine,
    Convolved,
    Cropped,
    EnlargedConvolved,
    Held,
    Kept,
    Normed,
    Padded,
    Passes,
    Pointwise,
    Resized,
    Rows,
    Shuffled,
    Spilled,
)
from brushnet.nets.transformer import (
    SMALLEST_PX,
    SMALLEST_TRUNK_PX,
    STRIDE,
    ResidualTransformer,
    brushes,
)

_ENDS_BYTES = {"full": 32, "patch": 13}  # a pixel and channel of `width`: what is computed outside the trunk takes
_TRUNK_BYTES = 8  # the same, of a trunk at a quarter of the resolution
_MAP_MORE = 1.25


def whole_bytes(net: ResidualTransformer, height: int, width: int, *, with_map: bool) -> float:
    """What `net(...)` takes at its peak, on a CPU, whatever s is: measured from 1 to 3 megapixels, widths 16 and 32."""
    finest = net.trunk_zoom(-math.inf)
    each = max(_ENDS_BYTES[net.ends], _TRUNK_BYTES / finest**2)
    return height * width * net.width * each * (_MAP_MORE if with_map else 1.0)


def paint_rows(
    net: ResidualTransformer, photo: Rows, log2_stroke_11hw: Tensor, style_weights_1K: Tensor, passes: Passes
) -> Rows:
    """The painting, to be read: its last pass. All others are done when this returns. Otherwise as `net(...)`."""
    affines = net.condition(log2_stroke_11hw, style_weights_1K)
    head, trunk, tail = net._split(affines)
    stage = [_encode(net, photo, head, passes)]
    # Each stage takes the one before with it: what was put away is gone as soon as nobody refers to it.
    if net.trunk == "scaled":
        stage.append(_scaled_trunk(net, stage.pop(), log2_stroke_11hw, style_weights_1K, trunk, passes))
    else:
        stage.append(_at_zoom(net, stage.pop(), 0.0, trunk, passes))
    return Cropped(_decode(net, stage.pop(), tail, passes), photo.height, photo.width)


def _encode(net: ResidualTransformer, photo: Rows, affines: list[Affine], passes: Passes) -> Rows:
    height, width = (max(SMALLEST_PX, side + -side % STRIDE) for side in (photo.height, photo.width))
    feats: Rows = Pointwise(lambda band: band - 0.5, Padded(photo, height, width))
    for conv, affine in zip(net.down[:-1], affines, strict=False):
        raw = _convolved(feats, conv)
        feats = Normed(raw, affine, passes.moments(raw), F.relu_)
    spilled = passes.spill(_convolved(feats, net.down[-1]))
    return Normed(spilled, affines[-1], spilled.moments, F.relu_)


def _blocks(x: Spilled, convs: Iterable[nn.Module], affines: list[Affine], passes: Passes) -> Rows:
    """In two spills: `x`, and one for what the convolutions make, each over the one before."""
    feats: Rows = x
    raw: Spilled | None = None
    layers = iter(zip(convs, affines, strict=True))
    for conv, affine in layers:
        raw = passes.spill(_convolved(feats, conv), over=raw)
        inner = Normed(raw, affine, raw.moments, F.relu_)
        conv, affine = next(layers)
        raw = passes.spill(_convolved(inner, conv), over=raw)
        feats = Kept(Pointwise(torch.add, x, Normed(raw, affine, raw.moments)), x)
    # Read more than once from here on: adding again to what was kept would be wrong.
    return feats.source if isinstance(feats, Kept) else feats


def _scaled_trunk(
    net: ResidualTransformer,
    feats: Rows,
    log2_stroke_11hw: Tensor,
    style_weights_1K: Tensor,
    affines: list[Affine],
    passes: Passes,
) -> Rows:
    together: Spilled | None = None
    for brush in brushes(log2_stroke_11hw, 1):
        if brush.share is not None:
            own = log2_stroke_11hw.new_full((1, 1, 1, 1), brush.octaves)
            affines = net._split(net.condition(own, style_weights_1K))[1]
        painted = _at_zoom(net, feats, brush.octaves, affines, passes)
        if brush.share is None:
            return painted
        painted = Pointwise(torch.mul, painted, Resized(Held(brush.share.float()), feats.height, feats.width))
        painted = painted if together is None else Pointwise(torch.add, together, painted)
        together = passes.spill(painted, over=together)
    assert together is not None
    return together


def _at_zoom(net: ResidualTransformer, feats: Rows, octaves: float, affines: list[Affine], passes: Passes) -> Rows:
    zoom = net.trunk_zoom(octaves)
    height, width = (max(SMALLEST_TRUNK_PX, round(side / zoom)) for side in (feats.height, feats.width))
    small = _blocks(passes.spill(Resized(feats, height, width)), net.residual, affines, passes)
    return Resized(small, feats.height, feats.width)


def _decode(net: ResidualTransformer, feats: Rows, affines: list[Affine], passes: Passes) -> Rows:
    count = len(net.sharpen)
    if count:
        spilled = passes.spill(feats)
        del feats
        feats = _blocks(spilled, net.sharpen, affines[:count], passes)
    for conv, affine in zip(net.up, affines[count:], strict=True):
        raw = _convolved(feats, conv)
        feats = Normed(raw, affine, passes.moments(raw), F.relu_)
    return Pointwise(torch.sigmoid, _convolved(feats, net.last))


def _convolved(feats: Rows, layer: nn.Module) -> Rows:
    assert isinstance(layer, Conv)
    if isinstance(layer, EnlargingConv):
        return EnlargedConvolved(feats, layer)
    if isinstance(layer, SubPixelConv):
        return Shuffled(Convolved(feats, layer))
    return Convolved(feats, layer)
