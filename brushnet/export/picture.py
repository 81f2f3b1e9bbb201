"""The whole ONNX graph: photo, stroke, style and strength in, painting out. What people see of the file.

Inputs, float32: `photo` (B, 3, H, W) RGB in [0, 1]; `stroke` (1, 1, h, w) stroke scales, 1 x 1 for one everywhere, else
a map of the photo's shape; `style` (1, K) weights that sum to 1, of models with several paintings; `strength` (1,).
Output: `painting` (B, 3, H, W) in [0, 1].
"""

import math

import numpy as np
import onnx

from brushnet import stroke_map
from brushnet.export.graph import Graph, Value
from brushnet.export.network import Network
from brushnet.export.resizing import resize
from brushnet.inference.finish import STRONGEST
from brushnet.inference.strength import LAYOUT_PX
from brushnet.models import StyleModel
from brushnet.nets import transformer

PICTURE = ("batch", 3, "height", "width")


def picture_model(model: StyleModel, *, half: bool = False) -> onnx.ModelProto:
    """As `model(photo, stroke, style=...)` and `finish(strength=...)`: strokes are clamped, maps smoothed.

    `half`: weights are stored in 16 bits and computed with in 32, which runs everywhere and as fast.
    """
    graph = Graph()
    photo = graph.input("photo", np.float32, PICTURE)
    told = model.stroke_mode == "conditioned"
    stroke = graph.input("stroke", np.float32, (1, 1, "map_height", "map_width")) if told else None
    paintings = len(model.style_names)
    style = graph.input("style", np.float32, (1, paintings)) if paintings > 1 else None
    strength = graph.input("strength", np.float32, (1,))
    network = Network(graph, model.net, style)
    if stroke is None:
        painting = network.paint(photo, graph.constant(np.zeros((1, 1, 1, 1)), np.float32), of_map=False)
    else:
        painting = _with_stroke(network, photo, _octaves(stroke, model.stroke_range))
    return graph.model(at_strength(photo, painting, strength), "painting", PICTURE, half=half)


def _octaves(stroke_11hw: Value, trained: tuple[float, float]) -> Value:
    """log2 of the clamped scales. In double precision, so that it is rounded as torch's is."""
    low, high = trained
    clamped = stroke_11hw.at_least(low).at_most(high).cast(np.float64)
    return (clamped.op("Log") / math.log(2)).cast(np.float32)


def _with_stroke(network: Network, photo: Value, octaves_11hw: Value) -> Value:
    """One scale is the fast way, also where a map has but one; a map changes what every layer is told.

    A photo of one colour must not go by map where the map is one scale: see `Network._flat_or`.
    """
    graph = photo.graph
    low, high = (octaves_11hw.op(kind, keepdims=0) for kind in ("ReduceMin", "ReduceMax"))

    def by_scale() -> Value:
        return network.paint(photo, low.op("Reshape", graph.constant([1, 1, 1, 1], np.int64)), of_map=False)

    def by_map() -> Value:
        return network.paint(photo, fit_map(octaves_11hw, photo.size()), of_map=True)

    span = graph.constant(transformer.SAME_OCTAVES, np.float32)
    return graph.either((high - low).op("Less", span, dtype=bool), by_scale, by_map)


def fit_map(octaves_11hw: Value, photo_size_2: Value) -> Value:
    """`stroke_map.fit_map`: on a grid of cells over the picture, smoothed."""
    graph = octaves_11hw.graph
    sides = photo_size_2.cast(np.float64)  # as in Python: ceil decides by the last bit
    longest = sides.op("ReduceMax", keepdims=1)
    cell_px = (longest / stroke_map.MOST_CELLS).at_least(stroke_map.CELL_PX)
    grid = resize(octaves_11hw, (sides / cell_px).op("Ceil").cast(np.int64))
    radius = math.ceil(3 * stroke_map.SMOOTHING_CELLS)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / stroke_map.SMOOTHING_CELLS) ** 2)
    kernel = np.float32(weights / weights.sum())
    edges = graph.constant([0, 0, radius, radius] * 2, np.int64)
    padded = grid.op("Pad", edges, mode="edge")
    across = padded.op("Conv", graph.constant(kernel.reshape(1, 1, 1, -1)))
    return across.op("Conv", graph.constant(kernel.reshape(1, 1, -1, 1)))


def at_strength(photo: Value, painting: Value, strength_1: Value) -> Value:
    """`inference.strength.at_strength` without its branches: at 0 and at 1 the sums are exact."""
    graph = photo.graph
    strength = strength_1.at_least(0.0).at_most(STRONGEST)
    seen = strength.at_most(1.0)
    rest = 1.0 - seen
    detail = 1.0 - rest * rest * rest
    full = photo.size()
    sides = (full.cast(np.float64) / LAYOUT_PX).op("Round").at_least(1.0)
    small = sides.cast(np.int64)
    layout = resize(resize(painting, small) - resize(photo, small), full)
    mixed = photo * (1.0 - detail) + painting * detail + layout * (seen - detail)
    mixed = mixed.at_least(0.0).at_most(1.0)
    more = (strength - 1.0).at_least(0.0)
    step = (mixed - resize(resize(mixed, small), full)) * more
    above = step.op("Greater", graph.constant(0, np.float32), dtype=bool)
    room = above.op("Where", 1.0 - mixed, mixed, dtype=np.float32)
    return mixed + step * room / (step.op("Abs") + room).at_least(1e-6)
