"""Resizing inside a graph: antialiased and bilinear, as two matrix products.

ONNX has an operator for it, but antialiasing is not there on a browser's GPU; a matrix product is everywhere, and fast.

Shape letters: B batch, C channels, H W old size, h w new size.
"""

import numpy as np

from brushnet.export.graph import Value


def resize(feats_BCHW: Value, size_2: Value) -> Value:
    """To `size_2`, int64 height and width: what torch makes of it (bilinear, antialias, corners not aligned)."""
    old_2 = feats_BCHW.size()
    rows_hH, columns_wW = (triangles(old_2.item(axis), size_2.item(axis)) for axis in (0, 1))
    return rows_hH @ (feats_BCHW @ columns_wW.op("Transpose", perm=[1, 0]))


def triangles(old: Value, new: Value) -> Value:
    """Weights of `old` points in each of `new` ones (int64 scalars): triangles as wide as the reduction. (new, old)."""
    graph = old.graph
    ratio = old.cast(np.float32) / new.cast(np.float32)
    centres_n1 = (_counted(new) + 0.5).op("Unsqueeze", graph.constant([1], np.int64)) * ratio
    distances = (_counted(old) + 0.5 - centres_n1).op("Abs") / ratio.at_least(1.0)
    weights = (1.0 - distances).op("Relu")
    return weights / weights.op("ReduceSum", graph.constant([1], np.int64), keepdims=1)


def _counted(count: Value) -> Value:
    """0, 1, ... count - 1 as float32."""
    graph = count.graph
    return graph.constant(0, np.int64).op("Range", count, graph.constant(1, np.int64)).cast(np.float32)
