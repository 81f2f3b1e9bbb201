"""The student as a file: float16, with what it was made of and whom the teacher is owed to."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from brushnet.distill.train import Settings
from brushnet.errors import BrushnetError
from brushnet.files import write_whole

KEY = "brushnet-lossnet"  # of the file's metadata
ATTRIBUTION = (
    "Distilled from a VGG network of the Visual Geometry Group, University of Oxford "
    "(Simonyan and Zisserman 2015), CC BY 4.0"
)


def save_weights(state: Mapping[str, Tensor], path: Path, *, teacher: str, settings: Settings) -> None:
    """Whole or not at all. BrushnetError where a weight does not fit float16 or is not finite."""
    halves = {key: _half(key, value) for key, value in state.items()}
    # One key: safetensors writes several in an order of its own, and the same student should give the same bytes.
    about = {"teacher": teacher, "attribution": ATTRIBUTION, "settings": asdict(settings)}
    write_whole(path, to_bytes(halves, metadata={KEY: json.dumps(about, sort_keys=True)}))


def _half(key: str, value: Tensor) -> Tensor:
    half = value.detach().cpu().contiguous().to(torch.float16)
    if not half.isfinite().all():
        raise BrushnetError(f"{key} does not fit float16 (largest value {float(value.abs().max()):g})")
    return half
