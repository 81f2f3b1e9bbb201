"""A .pt2 file of torch.export: plain torch loads it, brushnet is not needed."""

import copy
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from brushnet.export.check import Inputs, Paint
from brushnet.export.traced import Painter
from brushnet.models import StyleModel


def pt2_bytes(model: StyleModel, about: dict[str, str]) -> bytes:
    """`about` lies in the file's extra files."""
    examples, shapes = _traced_with(model)
    painter = copy.deepcopy(Painter(model)).to(memory_format=torch.contiguous_format)  # no other is saved unwarned
    with _quiet(), torch.no_grad():
        program = torch.export.export(painter.eval(), (), examples, dynamic_shapes=shapes, strict=False)
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files=dict(about))
    return buffer.getvalue()


def painter(data: bytes) -> Paint:
    """Paints with the program that torch loads from the file's content."""
    with _quiet():
        program = torch.export.load(io.BytesIO(data))
        module = program.module()
    _, taken = program.call_spec.in_spec.unflatten(range(program.call_spec.in_spec.num_leaves))

    def paint(inputs: Inputs) -> np.ndarray:
        with torch.no_grad():
            return module(**{name: torch.from_numpy(inputs[name]) for name in taken}).numpy()

    return paint


def _traced_with(model: StyleModel) -> tuple[dict[str, torch.Tensor], dict[str, dict[int, object] | None]]:
    """Example inputs, and which of their sides are free. Sides of 1 would be taken for fixed."""
    free = torch.export.Dim.DYNAMIC
    inputs: dict[str, torch.Tensor] = {"photo": torch.rand(2, 3, 45, 54), "strength": torch.ones(1)}
    shapes: dict[str, dict[int, object] | None] = {"photo": {0: free, 2: free, 3: free}, "strength": None}
    if model.stroke_mode == "conditioned":
        inputs["stroke"] = torch.ones(1, 1, 5, 6)
        shapes["stroke"] = {2: free, 3: free}
    paintings = len(model.style_names)
    if paintings > 1:
        inputs["style"] = torch.full((1, paintings), 1 / paintings)
        shapes["style"] = None
    return inputs, shapes


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's words about its own parts that are to be replaced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
