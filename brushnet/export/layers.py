"""The network's layers as ONNX nodes, in the forms that ONNX Runtime computes fastest.

Shape letters: B batch, C channels in, O channels out, H W feature size, h w size of a stroke map, k kernel.
"""

from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from brushnet.export.graph import Graph, Value
from brushnet.export.resizing import resize
from brushnet.nets.convs import Conv, EnlargingConv, SubPixelConv, enlarging, four_at_a_time
from brushnet.nets.norm import EPS


class Affine(NamedTuple):
    """What a norm layer is told, scale and shift each (C,), or (1, C, h, w) of a stroke map."""

    scale: Value
    shift: Value
    channels: int


def array(value: Tensor) -> np.ndarray:
    return value.detach().float().cpu().numpy()


def conv(feats_BCHW: Value, layer: nn.Module) -> Value:
    """A convolution of any kind that the network has."""
    assert isinstance(layer, Conv)
    px = int(layer.padding[0])
    if isinstance(layer, EnlargingConv):
        return _enlarged(_padded(feats_BCHW, 1, "edge"), layer)
    padded = _padded(feats_BCHW, px, "reflect")
    if layer.makes_four:
        return _unfolded(_conv(padded, *four_at_a_time(layer), stride=2))
    found = _conv(padded, layer.weight, layer.bias, stride=layer.stride[0])
    return _unfolded(found) if isinstance(layer, SubPixelConv) else found


def _enlarged(padded: Value, layer: EnlargingConv) -> Value:
    doubled = _unfolded(_conv(padded, *enlarging(layer)))
    starts, ends, axes = (padded.graph.constant(values, np.int64) for values in ([1, 1], [-1, -1], [2, 3]))
    return doubled.op("Slice", starts, ends, axes)


def normed(feats_BCHW: Value, affine: Affine, *, of_map: bool) -> Value:
    if not of_map:
        return feats_BCHW.op("InstanceNormalization", affine.scale, affine.shift, epsilon=EPS)
    ones, zeros = (feats_BCHW.graph.constant(np.full(affine.channels, value, np.float32)) for value in (1, 0))
    plain = feats_BCHW.op("InstanceNormalization", ones, zeros, epsilon=EPS)
    size = feats_BCHW.size()
    return plain * resize(affine.scale, size) + resize(affine.shift, size)


def _conv(padded: Value, weight_OCkk: Tensor, bias_O: Tensor | None, *, stride: int = 1) -> Value:
    assert bias_O is not None
    graph: Graph = padded.graph
    constants = [graph.constant(array(weight_OCkk), name="weight"), graph.constant(array(bias_O), name="bias")]
    return padded.op("Conv", *constants, kernel_shape=list(weight_OCkk.shape[2:]), strides=[stride, stride])


def _padded(feats_BCHW: Value, px: int, mode: str) -> Value:
    sides = feats_BCHW.graph.constant([0, 0, px, px, 0, 0, px, px], np.int64)
    return feats_BCHW.op("Pad", sides, mode=mode)


def _unfolded(feats: Value) -> Value:
    return feats.op("DepthToSpace", blocksize=2, mode="CRD")
