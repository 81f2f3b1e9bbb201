"""Small networks of every kind, and graphs that are run."""

import numpy as np
import onnxruntime
import pytest
import torch

from brushnet.export.graph import Graph
from brushnet.models import ModelMeta, StyleModel
from brushnet.nets import ResidualTransformer

NETS = {"scaled": {}, "plain": {"trunk": "plain"}, "patch": {"ends": "patch", "trunk_px": 6.0},
        "plain patch": {"ends": "patch", "trunk": "plain", "trunk_px": 6.0}}  # fmt: skip


@pytest.fixture
def make_model():
    def make(*, mode="conditioned", low=0.35, high=2.8, styles=1, kind="scaled"):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=styles, **NETS[kind])
            torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
            torch.nn.init.normal_(net.condition.affine.bias, std=0.3)
        names = [f"painting-{index}" for index in range(styles)]
        low, high = (1.0, 1.0) if mode == "fixed" else (low, high)
        meta = ModelMeta.of(net.eval().requires_grad_(False), stroke_mode=mode, stroke_min=low, stroke_max=high,
                            reference_px=256, style_names=names)  # fmt: skip
        return StyleModel(net, meta)

    return make


@pytest.fixture
def photo():
    """(2, 3, 50, 70), colours and edges."""
    rows, columns = torch.arange(50.0).view(-1, 1), torch.arange(70.0)
    waves = [(rows / 7 + columns / 11 * turn).sin() * 0.4 + 0.5 for turn in (1, -2, 3, 2, -1, 0.5)]
    return torch.stack(waves).view(2, 3, 50, 70)


@pytest.fixture
def evaluate():
    """`evaluate(write, feats, ...)`: what the graph that `write` makes of its inputs gives in ONNX Runtime."""

    def evaluate(write, *inputs):
        graph = Graph()
        values = [
            graph.input(f"in{place}", each.dtype, [f"{place}_{axis}" for axis in range(each.ndim)])
            for place, each in enumerate(inputs)
        ]
        file = graph.model(write(*values), "out", ["b", "c", "h", "w"][: inputs[0].ndim])
        session = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {f"in{place}": np.ascontiguousarray(each) for place, each in enumerate(inputs)})[0]

    return evaluate
