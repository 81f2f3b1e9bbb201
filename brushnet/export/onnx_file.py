"""An .onnx file: its bytes, and ONNX Runtime to paint with it."""

import numpy as np
import onnx
import onnxruntime

from brushnet.export.check import Inputs, Paint
from brushnet.export.picture import picture_model
from brushnet.models import StyleModel


def onnx_bytes(model: StyleModel, about: dict[str, str], *, half: bool = False) -> bytes:
    """`about` lies in the file's metadata; `half`: weights are stored in 16 bits."""
    file = picture_model(model, half=half)
    onnx.helper.set_model_props(file, about)
    onnx.checker.check_model(file, full_check=True)
    return file.SerializeToString()


def painter(data: bytes) -> Paint:
    """Paints with the file's content in ONNX Runtime, on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    taken = [each.name for each in session.get_inputs()]

    def paint(inputs: Inputs) -> np.ndarray:
        return session.run(None, {name: inputs[name] for name in taken})[0]

    return paint
