"""A model.safetensors, from a checkpoint or a run, with what it says of itself in plain words beside the metadata."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from brushnet.export.check import Inputs, Paint
from brushnet.inference.finish import finish
from brushnet.model_file import content_of
from brushnet.models import StyleModel, load


def own_bytes(model: StyleModel, about: dict[str, str]) -> bytes:
    return content_of(model.net, about)


def painter(data: bytes) -> Paint:
    """Paints with the model that brushnet reads from these bytes."""
    with tempfile.TemporaryDirectory(prefix="brushnet-") as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(data)
        model = load(path, device="cpu")

    def paint(inputs: Inputs) -> np.ndarray:
        photo, stroke, style = (torch.from_numpy(inputs[name]) for name in ("photo", "stroke", "style"))
        mixture = dict(zip(model.style_names, style[0].tolist(), strict=True))
        painting = model(photo, stroke if model.stroke_mode == "conditioned" else None, style=mixture)
        return finish(photo, painting, strength=float(inputs["strength"][0])).numpy()

    return paint
