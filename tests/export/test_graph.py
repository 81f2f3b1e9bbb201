"""Graphs written by hand: arithmetic, branches, loops, constants, weights of 16 bits."""

import numpy as np
import onnx
import onnxruntime
import pytest

from brushnet.export.graph import SMALLEST_HALVED, Graph

VALUES = np.float32([1, -2, 3])


def test_arithmetic_reads_as_in_python(evaluate):
    def write(x):
        return ((1 - x) * 2 + x / 4).at_least(0.5).at_most(4)

    assert evaluate(write, VALUES).tolist() == np.clip((1 - VALUES) * 2 + VALUES / 4, 0.5, 4).tolist()


@pytest.mark.parametrize(("first", "expected"), [(1, [2, -4, 6]), (-1, [0, -1, 4])])
def test_one_branch_is_run(evaluate, first, expected):
    def write(x):
        positive = x.item(0).op("Greater", x.graph.constant(0, np.float32), dtype=bool)
        return x.graph.either(positive, lambda: x * 2, lambda: x + 1)

    assert evaluate(write, np.float32([first, -2, 3])).tolist() == expected


@pytest.mark.parametrize("times", [0, 1, 4])
def test_a_loop_counts_from_zero(evaluate, times):
    def write(x, count):
        return x.graph.repeat(count.item(0), x, lambda number, value: value * 2 + number.cast(np.float32))

    expected = VALUES
    for number in range(times):
        expected = expected * 2 + number
    assert evaluate(write, VALUES, np.int64([times])).tolist() == expected.tolist()


def test_equal_constants_are_stored_once_and_others_are_not():
    graph = Graph()
    first = graph.constant([1.0, 2.0], np.float32)
    assert graph.constant([1.0, 2.0], np.float32).name == first.name
    others = [graph.constant([1.0, 2.0], np.float64), graph.constant([[1.0, 2.0]], np.float32), graph.constant(1)]
    assert len({first.name, *(each.name for each in others)}) == 4


def test_halved_weights_are_stored_in_16_bits_and_used_in_32():
    sizes = {}
    for half in (False, True):
        graph = Graph()
        weights = np.linspace(0, 1, SMALLEST_HALVED, dtype=np.float32)
        few = graph.constant(weights[:3])
        out = graph.input("x", np.float32, [1]) * graph.constant(weights) + few.op("ReduceSum", keepdims=0)
        file = graph.model(out, "out", [SMALLEST_HALVED], half=half)
        onnx.checker.check_model(file, full_check=True)
        session = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
        got = session.run(None, {"x": np.float32([2])})[0]
        stored = weights.astype(np.float16).astype(np.float32) if half else weights
        np.testing.assert_allclose(got, 2 * stored + weights[:3].sum(), rtol=1e-6)
        sizes[half] = sum(len(each.raw_data) for each in file.graph.initializer)
    assert sizes[True] < 0.6 * sizes[False]
