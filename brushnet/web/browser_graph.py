"""What a browser's GPU wants otherwise in an ONNX graph."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

MOST_OUTPUTS = 4  # of a node: each is a buffer of a shader, of which WebGPU promises 8 in all


def in_single_precision(model: onnx.ModelProto) -> None:
    """Doubles become float32: the WebGPU build of ONNX Runtime Web does not compute with them, not even a cast.

    There are doubles where sizes follow from stroke scales. At a stroke of 2.8, 105 points become 37.5: float32 may
    round them to another size than the network does, and the painting is another one, no worse.
    """
    for graph in _graphs(model.graph):
        for constant in graph.initializer:
            if constant.data_type == onnx.TensorProto.DOUBLE:
                values = numpy_helper.to_array(constant).astype(np.float32)
                constant.CopyFrom(numpy_helper.from_array(values, constant.name))
        for declared in (*graph.input, *graph.output, *graph.value_info):
            if declared.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE:
                declared.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.i == onnx.TensorProto.DOUBLE:
                    attribute.i = onnx.TensorProto.FLOAT


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
