"""A model for the browser: its ONNX files, and what a browser must find when it paints a pattern with one of them.

Shape letters: B batch, H W picture size.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.errors import BrushnetError
from brushnet.export.about import about, licence_of
from brushnet.export.onnx_file import onnx_bytes, painter
from brushnet.models import StyleModel
from brushnet.web.browser_graph import in_single_precision, slice_for_split

PATTERN_PX = 64
CHECK_CELLS = 4
LARGEST_DIFFERENCE = 0.5 / 255


@dataclass(frozen=True)
class BrowserModel:
    """ONNX files for WebAssembly and for WebGPU, and `check`: means of 4 x 4 blocks of the painted pattern.

    The means go channel by channel, in rows.
    """

    wasm: bytes
    webgpu: bytes
    check: list[float]


def browser_model(model: StyleModel) -> BrowserModel:
    """BrushnetError where a file does not paint what the network paints.

    `brushnet export` compares more; here somebody waits for the page, and each browser compares once more.
    """
    graph = onnx.load_from_string(onnx_bytes(model, about(model.meta, licence_of(model.meta, None))))
    wasm = graph.SerializeToString()
    in_single_precision(graph)
    slice_for_split(graph)
    onnx.checker.check_model(graph)
    webgpu = graph.SerializeToString()
    for stroke in (*model.stroke_range, model.default_stroke):
        expected = model(pattern(), stroke if model.stroke_mode == "conditioned" else None).cpu()
        for data in (wasm, webgpu):
            off = float((_painted(data, model, stroke) - expected).abs().max())
            if not off <= LARGEST_DIFFERENCE:  # nor is NaN
                raise BrushnetError(f"exported, the model is off by {255 * off:.3g}/255 at a stroke of {stroke:g}")
    means = F.avg_pool2d(expected, PATTERN_PX // CHECK_CELLS)
    return BrowserModel(wasm, webgpu, [round(value, 4) for value in means.flatten().tolist()])


def pattern() -> Tensor:
    """As page/pixels.js makes it: (1, 3, H, W)."""
    rows, columns = torch.arange(PATTERN_PX).view(-1, 1), torch.arange(PATTERN_PX)
    phases = torch.arange(3).view(3, 1, 1)
    return (0.5 + 0.5 * torch.sin(0.37 * (columns + 2 * rows).double() + phases)).float()[None]


def _painted(data: bytes, model: StyleModel, stroke: float) -> Tensor:
    inputs = {
        "photo": pattern().numpy(),
        "stroke": np.full((1, 1, 1, 1), stroke, np.float32),
        "style": np.eye(1, len(model.style_names), dtype=np.float32),
        "strength": np.ones(1, np.float32),
    }
    return torch.from_numpy(painter(data)(inputs))
