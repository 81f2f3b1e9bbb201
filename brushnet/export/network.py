"""The network that paints, as an ONNX graph: `ResidualTransformer.forward`, with sizes that follow from the inputs.

Shape letters: B batch, C channels, H W picture size, h w size of the stroke map, K styles, E embedding.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from brushnet.export.graph import Graph, Value
from brushnet.export.layers import Affine, array, conv, normed
from brushnet.export.resizing import resize
from brushnet.nets import ResidualTransformer, condition, transformer

FLAT = 1e-6  # range of a photo of one colour


class Network:
    """Writes a network into a graph; `style_weights_1K` is None where there is but one painting."""

    def __init__(self, graph: Graph, net: ResidualTransformer, style_weights_1K: Value | None):
        self.graph, self.net, self.style_weights = graph, net, style_weights_1K
        norms = list(range(len(net.condition.channels_per_norm)))
        self.head, self.trunk, self.tail = net._split(norms)

    def paint(self, photo_B3HW: Value, log2_stroke_11hw: Value, *, of_map: bool) -> Value:
        size_2 = photo_B3HW.size()
        outer = [*self.head, *self.tail] if self.net.trunk == "scaled" else [*self.head, *self.trunk, *self.tail]
        affines = dict(zip(outer, self._affines(log2_stroke_11hw, outer, of_map=of_map), strict=True))
        feats = self._padded(photo_B3HW) - 0.5
        for place, (layer, norm) in enumerate(zip(self.net.down, self.head, strict=True)):
            feats = conv(feats, layer)
            if of_map and place == 0:  # of one colour: zeros give the norm's shift, rounding would give noise
                feats = self._flat(photo_B3HW).op("Where", self.graph.constant(0, np.float32), feats, dtype=np.float32)
            feats = normed(feats, affines[norm], of_map=of_map).op("Relu")
        if self.net.trunk == "plain":
            feats = self._with_plain(feats, [affines[norm] for norm in self.trunk], of_map=of_map)
        elif of_map:
            feats = self._with_brushes(feats, log2_stroke_11hw)
        else:
            feats = self._with_brush(feats, log2_stroke_11hw)
        painting = self._decode(feats, photo_B3HW, [affines[norm] for norm in self.tail], of_map=of_map)
        return self._cropped(painting, size_2)

    def _flat_or(self, photo_B3HW: Value, last: Affine, feats: Value) -> Value:
        """Of a photo of one colour the last features are known: every norm layer gives its shift.

        Computed through all layers they would be noise: a norm enlarges differences by up to 316, and the same numbers
        are rounded differently from place to place, in torch too wherever it resizes.
        """
        flat_1C11 = last.shift.op("Relu").op("Reshape", self._int([1, -1, 1, 1]))
        return self._flat(photo_B3HW).op("Where", flat_1C11, feats, dtype=np.float32)

    def _flat(self, photo_B3HW: Value) -> Value:
        """Which photos are of one colour, bool (B, 1, 1, 1)."""
        high, low = (photo_B3HW.op(kind, self._int([2, 3]), keepdims=1) for kind in ("ReduceMax", "ReduceMin"))
        span_B111 = (high - low).op("ReduceMax", self._int([1, 2, 3]), keepdims=1)
        return span_B111.op("Less", self.graph.constant(FLAT, np.float32), dtype=bool)

    def _blocks(self, feats: Value, convs: Iterable[nn.Module], affines: Sequence[Affine], *, of_map: bool) -> Value:
        layers = list(convs)
        for place in range(0, len(layers), 2):
            inner = normed(conv(feats, layers[place]), affines[place], of_map=of_map).op("Relu")
            feats = feats + normed(conv(inner, layers[place + 1]), affines[place + 1], of_map=of_map)
        return feats

    def _decode(self, feats: Value, photo_B3HW: Value, affines: Sequence[Affine], *, of_map: bool) -> Value:
        count = len(self.net.sharpen)
        feats = self._blocks(feats, self.net.sharpen, affines[:count], of_map=of_map)
        for layer, affine in zip(self.net.up, affines[count:], strict=True):
            feats = normed(conv(feats, layer), affine, of_map=of_map).op("Relu")
        if not of_map:  # a map varies, and what is painted with it is not flat but before the first norm
            feats = self._flat_or(photo_B3HW, affines[-1], feats)
        return conv(feats, self.net.last).op("Sigmoid")

    def _with_brush(self, feats: Value, octaves_1111: Value) -> Value:
        """The residual blocks at the resolution of one stroke scale, and back."""
        affines = self._affines(octaves_1111, self.trunk, of_map=False)
        size_2 = feats.size()
        # In double precision, as the network has it from Python: a size that is rounded otherwise is another painting.
        scale = self.graph.constant([2.0]).op("Pow", octaves_1111.cast(np.float64).op("Reshape", self._int([1])))
        zoom = scale.at_least(transformer.FINEST) * self.net.trunk_zoom(0.0)
        return resize(self._blocks(self._smaller(feats, zoom), self.net.residual, affines, of_map=False), size_2)

    def _with_plain(self, feats: Value, affines: Sequence[Affine], *, of_map: bool) -> Value:
        if self.net.trunk_zoom(0.0) == 1:
            return self._blocks(feats, self.net.residual, affines, of_map=of_map)
        small = self._smaller(feats, self.graph.constant([self.net.trunk_zoom(0.0)]))
        return resize(self._blocks(small, self.net.residual, affines, of_map=of_map), feats.size())

    def _smaller(self, feats: Value, zoom_1: Value) -> Value:
        sides = (feats.size().cast(np.float64) / zoom_1).op("Round")
        return resize(feats, sides.at_least(transformer.SMALLEST_TRUNK_PX).cast(np.int64))

    def _with_brushes(self, feats: Value, log2_stroke_11hw: Value) -> Value:
        """One after the other, each with its share of every point."""
        low, high = (self._end(log2_stroke_11hw, end) for end in ("ReduceMin", "ReduceMax"))
        span = high - low
        steps = ((span - transformer.SAME_OCTAVES) / transformer.BRUSH_STEP_OCTAVES).op("Ceil").at_least(0.0)
        count = steps.at_least(1.0)  # of a map that is one scale, too, something is divided by
        place_11hw = (log2_stroke_11hw - low.cast(np.float32)) * (steps / span.at_least(1e-9)).cast(np.float32)
        size_2 = feats.size()

        def add(number: Value, painted: Value) -> Value:
            octaves = low + span * number.cast(np.float64) / count
            octaves_1111 = octaves.cast(np.float32).op("Reshape", self._int([1, 1, 1, 1]))
            share_11hw = (1.0 - (place_11hw - number.cast(np.float32)).op("Abs")).op("Relu")
            return painted + self._with_brush(feats, octaves_1111) * resize(share_11hw, size_2)

        times = (steps.cast(np.int64) + 1).op("Reshape", self._int([]))
        return self.graph.repeat(times, feats * 0.0, add)

    def _affines(self, log2_stroke_11hw: Value, norms: Sequence[int], *, of_map: bool) -> list[Affine]:
        """Scale and shift of these norm layers: `ConditionEmbedding.forward`."""
        told, channels = self.net.condition, self.net.condition.channels_per_norm
        starts = np.cumsum([0, *channels])
        rows = np.concatenate([np.arange(starts[norm], starts[norm + 1]) for norm in norms])
        rows = np.concatenate([rows, rows + starts[-1]])  # scales, then shifts
        add = np.repeat(np.array([1, 0], np.float32), len(rows) // 2)  # scales are around 1
        values = self._heads(self._hidden(log2_stroke_11hw), array(told.affine.weight)[:, rows],
                             array(told.affine.bias)[:, rows] + add)  # fmt: skip
        if not of_map:
            values = values.op("Reshape", self._int([-1]))
        sizes = self._int([channels[norm] for norm in norms] * 2)
        parts = self.graph.ops("Split", values, sizes, outputs=2 * len(norms), axis=1 if of_map else 0)
        each = zip(parts[: len(norms)], parts[len(norms) :], (channels[norm] for norm in norms), strict=True)
        return [Affine(*parts) for parts in each]

    def _hidden(self, log2_stroke_11hw: Value) -> Value:
        """Embedding of the stroke and each painting, (K, E, h, w)."""
        told = self.net.condition
        periods = 8.0 / 2.0 ** torch.arange(condition.FREQUENCIES)
        angles = log2_stroke_11hw * self.graph.constant(array(2 * math.pi / periods).reshape(1, -1, 1, 1))
        waves = self.graph.op("Concat", log2_stroke_11hw, angles.op("Sin"), angles.op("Cos"), axis=1)
        style_KE11 = self.graph.constant(array(told.style.weight)[..., None, None], name="style")
        return _silu(self._point_conv(_silu(self._point_conv(waves, told.stroke) + style_KE11), told.hidden))

    def _heads(self, hidden_KEhw: Value, weight_KAE: np.ndarray, bias_KA: np.ndarray) -> Value:
        """(1, A, h, w): the mean of the paintings' own, by their weights."""
        paintings, values, embedding = weight_KAE.shape
        heads = weight_KAE.transpose(1, 0, 2).reshape(values, paintings * embedding, 1, 1)
        heads_AE11 = self.graph.constant(np.ascontiguousarray(heads), name="heads")
        bias = self.graph.constant(bias_KA, name="heads_bias")
        if self.style_weights is None:
            return hidden_KEhw.op("Conv", heads_AE11, bias.op("Reshape", self._int([-1])))
        weighted = hidden_KEhw * self.style_weights.op("Reshape", self._int([-1, 1, 1, 1]))
        side_by_side = weighted.op("Reshape", self._int([1, paintings * embedding, 0, 0]))
        bias_1A11 = (self.style_weights @ bias).op("Reshape", self._int([1, -1, 1, 1]))
        return side_by_side.op("Conv", heads_AE11) + bias_1A11

    def _point_conv(self, values: Value, layer: nn.Conv2d) -> Value:
        """1 x 1."""
        assert layer.bias is not None
        weight, bias = array(layer.weight), array(layer.bias)
        return values.op("Conv", self.graph.constant(weight, name="weight"), self.graph.constant(bias, name="bias"))

    def _padded(self, photo_B3HW: Value) -> Value:
        """To a multiple of the stride and the smallest workable size, by repeating the last row and column."""
        size_2 = photo_B3HW.size()
        to_stride = (self._int([0, 0]) - size_2).op("Mod", self._int(transformer.STRIDE))
        more_2 = to_stride.at_least(self._int(transformer.SMALLEST_PX) - size_2)
        sides = self.graph.op("Concat", self._int([0] * 6), more_2, axis=0)
        return photo_B3HW.op("Pad", sides, mode="edge")

    def _cropped(self, painting: Value, size_2: Value) -> Value:
        return painting.op("Slice", self._int([0, 0]), size_2, self._int([2, 3]))

    def _end(self, values: Value, kind: str) -> Value:
        """Smallest or largest, as a double (1,)."""
        return values.op(kind, keepdims=0).op("Reshape", self._int([1])).cast(np.float64)

    def _int(self, value: int | Sequence[int]) -> Value:
        return self.graph.constant(value, np.int64)


def _silu(values: Value) -> Value:
    return values * values.op("Sigmoid")
