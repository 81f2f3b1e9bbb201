"""The network's layers as ONNX nodes, in the forms that ONNX Runtime computes fastest.

Shape letters: B batch, C channels in, O channels out, H W feature size, h w size of a stroke map, k kernel.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.export.graph import Graph, Value
from brushnet.export.resizing import resize
from brushnet.nets.condition import EPS
from brushnet.nets.transformer import Conv


class Affine(NamedTuple):
    """What a norm layer is told, scale and shift each (C,), or (1, C, h, w) of a stroke map."""

    scale: Value
    shift: Value
    channels: int


def array(value: Tensor) -> np.ndarray:
    return value.detach().float().cpu().numpy()


def conv(feats_BCHW: Value, layer: nn.Module) -> Value:
    assert isinstance(layer, Conv)
    weight_OCkk, stride = layer.weight, layer.stride[0]
    padded = _padded(feats_BCHW, layer.kernel_size[0] // 2, "reflect")
    return _conv(padded, weight_OCkk, layer.bias, stride=stride)


def wide_conv(feats_BCHW: Value, layer: nn.Module) -> Value:
    """As `conv` (without stride), for a large kernel with few channels out: four pixels at a time.

    The kernel is laid out at each of 2 x 2 offsets in one that is larger by one, so there are four times the channels
    out of a quarter of the places: 23 % more to multiply, a quarter to gather, and no product with 3 rows.
    """
    assert isinstance(layer, Conv)
    weight_OCkk = layer.weight
    shifted = [F.pad(weight_OCkk, (x, 1 - x, y, 1 - y)) for y in (0, 1) for x in (0, 1)]
    padded = _padded(feats_BCHW, layer.kernel_size[0] // 2, "reflect")
    return _unfolded(_conv(padded, _interleaved(shifted), layer.bias, stride=2, repeat=4))


def enlarging_conv(feats_BCHW: Value, layer: nn.Module) -> Value:
    """`conv` with a kernel of 3 after enlarging twice by nearest neighbours; (B, O, 2 H, 2 W).

    In place of 3 x 3 of the enlarged pixels, of which many are equal, each of four phases sees the 2 x 2 that differ:
    less than half to multiply. Reflecting the enlarged picture repeats the border of the small one.
    """
    assert isinstance(layer, Conv)
    early = torch.tensor([[1.0, 1, 0], [0, 0, 1]])  # of rows 2 i - 1, to which pixels i - 1 and i give
    late = torch.tensor([[1.0, 0, 0], [0, 1, 1]])  # of rows 2 i
    phases = [torch.einsum("ockl,yk,xl->ocyx", layer.weight, y, x) for y in (early, late) for x in (early, late)]
    padded = _padded(feats_BCHW, 1, "edge")
    doubled = _unfolded(_conv(padded, _interleaved(phases), layer.bias, repeat=4))
    graph = feats_BCHW.graph
    starts, ends, axes = (graph.constant(values, np.int64) for values in ([1, 1], [-1, -1], [2, 3]))
    return doubled.op("Slice", starts, ends, axes)


def normed(feats_BCHW: Value, affine: Affine, *, of_map: bool) -> Value:
    if not of_map:
        return feats_BCHW.op("InstanceNormalization", affine.scale, affine.shift, epsilon=EPS)
    ones, zeros = (feats_BCHW.graph.constant(np.full(affine.channels, value, np.float32)) for value in (1, 0))
    plain = feats_BCHW.op("InstanceNormalization", ones, zeros, epsilon=EPS)
    size = feats_BCHW.size()
    return plain * resize(affine.scale, size) + resize(affine.shift, size)


def _conv(padded: Value, weight_OCkk: Tensor, bias: Tensor | None, *, stride: int = 1, repeat: int = 1) -> Value:
    assert bias is not None
    graph: Graph = padded.graph
    weight = graph.constant(array(weight_OCkk), name="weight")
    kernel = list(weight_OCkk.shape[2:])
    constants = [weight, graph.constant(array(bias.repeat_interleave(repeat)), name="bias")]
    return padded.op("Conv", *constants, kernel_shape=kernel, strides=[stride, stride])


def _padded(feats_BCHW: Value, px: int, mode: str) -> Value:
    sides = feats_BCHW.graph.constant([0, 0, px, px, 0, 0, px, px], np.int64)
    return feats_BCHW.op("Pad", sides, mode=mode)


def _interleaved(phases_OCkk: list[Tensor]) -> Tensor:
    """(4 O, C, k, k), the phases of a channel side by side."""
    return torch.stack(phases_OCkk, dim=1).flatten(0, 1)


def _unfolded(feats: Value) -> Value:
    return feats.op("DepthToSpace", blocksize=2, mode="CRD")
