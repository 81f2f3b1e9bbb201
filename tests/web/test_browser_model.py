"""The ONNX file for browsers: what a GPU cannot do is gone from it, and it paints the same."""

import functools

import numpy as np
import onnx
import pytest
import torch

import brushnet
from brushnet.errors import BrushnetError
from brushnet.export.onnx_file import painter
from brushnet.web import browser_model as module
from brushnet.web.browser_graph import MOST_OUTPUTS
from brushnet.web.browser_model import CHECK_CELLS, PATTERN_PX, browser_model, pattern


@pytest.fixture(scope="module")
def model():
    return brushnet.load("starry-night", device="cpu")


@pytest.fixture(scope="module")
def exported(model):
    return browser_model(model)


def graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


def test_for_webgpu_no_doubles_and_no_wide_splits_are_left(exported):
    file = onnx.load_from_string(exported.webgpu)
    every = list(graphs(file.graph))
    assert len(every) > 2  # branches and a loop
    for graph in every:
        assert all(len(node.output) <= MOST_OUTPUTS for node in graph.node)
        assert all(each.data_type != onnx.TensorProto.DOUBLE for each in graph.initializer)
        casts = [each.i for node in graph.node if node.op_type == "Cast" for each in node.attribute]
        assert onnx.TensorProto.DOUBLE not in casts
    assert {each.key for each in file.metadata_props} >= {"stroke_min", "style_names", "licence"}


opened = functools.cache(painter)


def painted(data, photo_B3HW, stroke):
    inputs = {
        "photo": photo_B3HW.numpy(),
        "stroke": np.full((1, 1, 1, 1), stroke, np.float32),
        "strength": np.ones(1, np.float32),
    }
    return opened(data)(inputs)


@pytest.mark.parametrize("stroke", [0.35, 0.5, 0.9, 1.0, 2.0, 2.8])
@pytest.mark.parametrize("size", [(61, 83), (123, 246)])
def test_both_paint_what_the_network_paints(model, exported, stroke, size):
    photo_B3HW = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = model(photo_B3HW, stroke).numpy()
    assert np.abs(painted(exported.wasm, photo_B3HW, stroke) - expected).max() < 0.5 / 255
    if (size, stroke) != ((61, 83), 2.8):  # where 21 points become 7.5
        assert np.abs(painted(exported.webgpu, photo_B3HW, stroke) - expected).max() < 0.5 / 255


def test_the_check_is_the_painted_pattern(model, exported):
    assert len(exported.check) == 3 * CHECK_CELLS**2
    painted = model(pattern())[0]
    assert exported.check[0] == pytest.approx(float(painted[0, :16, :16].mean()), abs=1e-4)
    assert exported.check[-1] == pytest.approx(float(painted[2, -16:, -16:].mean()), abs=1e-4)
    assert painted.shape[-1] == PATTERN_PX


def test_a_file_that_paints_something_else_is_refused(model, monkeypatch):
    wrong = lambda data: lambda inputs: painter(data)(inputs) + 0.01  # noqa: E731
    monkeypatch.setattr(module, "painter", wrong)
    with pytest.raises(BrushnetError, match=r"exported, the model is off by 2\.\d+/255 at a stroke of 0\.35"):
        browser_model(model)
