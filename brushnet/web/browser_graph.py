"""What a browser's GPU wants otherwise in an ONNX graph."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

MOST_OUTPUTS = 4  # of a node: each is a buffer of a shader, of which WebGPU promises 8 in all


def slice_for_split(model: onnx.ModelProto) -> None:
    """Each Split into many parts becomes as many Slices, in branches and loops too.

    Sizes must be constants of the graph.
    """
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for graph in _graphs(model.graph):
        nodes = list(graph.node)
        del graph.node[:]
        for node in nodes:
            is_wide = node.op_type == "Split" and len(node.output) > MOST_OUTPUTS
            graph.node.extend(_slices(node, constants[node.input[1]], model.graph) if is_wide else [node])
    _drop_unused(model.graph)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)
    yield graph


def _slices(split: onnx.NodeProto, sizes: np.ndarray, owner: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    axis = next((helper.get_attribute_value(each) for each in split.attribute if each.name == "axis"), 0)
    ends = np.cumsum(sizes)
    for output, start, end in zip(split.output, ends - sizes, ends, strict=True):
        bounds = {f"{output}_start": start, f"{output}_end": end, f"{output}_axis": axis}
        owner.initializer.extend(
            numpy_helper.from_array(np.array([value], np.int64), name) for name, value in bounds.items()
        )
        yield helper.make_node("Slice", [split.input[0], *bounds], [output], name=output)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Constants that no node reads any more: ONNX Runtime warns of each."""
    read = {name for each in _graphs(graph) for node in each.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
