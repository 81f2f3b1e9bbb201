"""ONNX graphs written node by node, in expressions: `(photo - 0.5).op("Relu")`.

By hand and not by torch's exporter: the size of the network's trunk follows from the value of the stroke scale, which a
traced graph cannot know, and what is written here runs fast and on every execution provider.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18  # of 2022: ONNX Runtime since 1.14
IR_VERSION = 8
SMALLEST_HALVED = 256  # values; below, nothing is saved

Number = int | float


class Graph:
    """Nodes in order, in the branches and loops where they were made, and constants, which all of them share."""

    def __init__(self) -> None:
        self.bodies: list[list[onnx.NodeProto]] = [[]]  # the last is what is being written
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.count = 0

    def input(self, name: str, kind: type, shape: Sequence[str | int]) -> "Value":
        self.inputs.append(_declared(name, kind, shape))
        return Value(self, name, np.dtype(kind))

    def constant(self, value: Any, kind: Any = None, *, name: str = "constant") -> "Value":
        """One that is there already, where there is an equal one."""
        array = np.asarray(value, kind)
        for known, other in self.constants.items():
            if array.dtype == other.dtype and array.shape == other.shape and np.array_equal(array, other):
                return Value(self, known, array.dtype)
        name = self._new_name(name)
        self.constants[name] = array
        return Value(self, name, array.dtype)

    def op(self, kind: str, *inputs: "Value | None", dtype: Any = None, **attributes: Any) -> "Value":
        """The one output of a new node; of the first input's type unless told."""
        return self.ops(kind, *inputs, outputs=1, dtype=dtype, **attributes)[0]

    def ops(
        self, kind: str, *inputs: "Value | None", outputs: int, dtype: Any = None, **attributes: Any
    ) -> list["Value"]:
        names = [self._new_name(kind) for _ in range(outputs)]
        read = [value.name if value else "" for value in inputs]
        self.bodies[-1].append(helper.make_node(kind, read, names, name=names[0], **attributes))
        of = np.dtype(dtype) if dtype else next(value.dtype for value in inputs if value)
        return [Value(self, name, of) for name in names]

    def either(self, condition: "Value", then: Callable[[], "Value"], otherwise: Callable[[], "Value"]) -> "Value":
        """What `then` writes where the condition holds, else what `otherwise` does; only one of them is run."""
        branches = {"then_branch": then, "else_branch": otherwise}
        bodies = {name: self._body([], write) for name, write in branches.items()}
        return self.op("If", condition, dtype=np.float32, **bodies)

    def repeat(self, times: "Value", start: "Value", step: Callable[["Value", "Value"], "Value"]) -> "Value":
        """`value = step(number, value)` as often as `times` (an int64 scalar) says; the number counts from 0."""
        number = Value(self, self._new_name("number"), np.dtype(np.int64))
        value = Value(self, self._new_name("value"), start.dtype)
        goes_on = Value(self, self._new_name("goes_on"), np.dtype(bool))
        inputs = [_declared(number.name, np.int64, []), _declared(goes_on.name, np.bool_, []),
                  _declared(value.name, value.dtype, None)]  # fmt: skip
        body = self._body(inputs, lambda: step(number, value), first=[goes_on])
        return self.op("Loop", times, None, start, dtype=start.dtype, body=body)

    def model(self, output: "Value", name: str, shape: Sequence[str | int], *, half: bool = False) -> onnx.ModelProto:
        """The finished file; `output` gets this name. `half`: weights are stored in 16 bits."""
        nodes = [*self.bodies[0], helper.make_node("Identity", [output.name], [name], name=name)]
        stored = dict(self.constants)
        for each, value in self.constants.items():
            if half and value.dtype == np.float32 and value.size >= SMALLEST_HALVED:
                del stored[each]
                stored[f"{each}_half"] = value.astype(np.float16)
                nodes.insert(
                    0, helper.make_node("Cast", [f"{each}_half"], [each], name=each, to=onnx.TensorProto.FLOAT)
                )
        tensors = [numpy_helper.from_array(value, each) for each, value in stored.items()]
        outputs = [_declared(name, output.dtype, shape)]
        graph = helper.make_graph(nodes, "brushnet", self.inputs, outputs, tensors)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="brushnet")

    def _body(
        self, inputs: list[onnx.ValueInfoProto], write: Callable[[], "Value"], *, first: Sequence["Value"] = ()
    ) -> onnx.GraphProto:
        self.bodies.append([])
        # Identity: what a body hands out must have been made in it.
        outputs = [value.op("Identity") for value in [*first, write()]]
        declared = [_declared(value.name, value.dtype, None) for value in outputs]
        return helper.make_graph(self.bodies.pop(), self._new_name("body"), inputs, declared)

    def _new_name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"


class Value:
    """What a node or an input gives: arithmetic with it makes nodes, numbers become constants of its type."""

    def __init__(self, graph: Graph, name: str, dtype: np.dtype):
        self.graph, self.name, self.dtype = graph, name, dtype

    def op(self, kind: str, *others: "Value | None", dtype: Any = None, **attributes: Any) -> "Value":
        return self.graph.op(kind, self, *others, dtype=dtype, **attributes)

    def like(self, other: "Value | Number | Sequence[Number]") -> "Value":
        return other if isinstance(other, Value) else self.graph.constant(other, self.dtype)

    def cast(self, dtype: Any) -> "Value":
        return self.op("Cast", to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), dtype=dtype)

    def __add__(self, other: "Value | Number") -> "Value":
        return self.op("Add", self.like(other))

    def __sub__(self, other: "Value | Number") -> "Value":
        return self.op("Sub", self.like(other))

    def __rsub__(self, other: Number) -> "Value":
        return self.like(other).op("Sub", self)

    def __mul__(self, other: "Value | Number") -> "Value":
        return self.op("Mul", self.like(other))

    def __truediv__(self, other: "Value | Number") -> "Value":
        return self.op("Div", self.like(other))

    def __matmul__(self, other: "Value") -> "Value":
        return self.op("MatMul", other)

    def at_least(self, other: "Value | Number") -> "Value":
        return self.op("Max", self.like(other))

    def at_most(self, other: "Value | Number") -> "Value":
        return self.op("Min", self.like(other))

    def size(self) -> "Value":
        """Height and width, int64 (2,)."""
        return self.op("Shape", start=-2, dtype=np.int64)

    def item(self, index: int) -> "Value":
        """The element of a vector, as a scalar."""
        return self.op("Gather", self.graph.constant(index, np.int64))


def _declared(name: str, kind: Any, shape: Sequence[str | int] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
