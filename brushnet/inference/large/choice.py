"""Whether a photo is painted as a whole, which is faster, or in bands, which take less memory."""

import torch
from torch import Tensor

from brushnet.inference.large.paint import needed_bytes
from brushnet.models import StyleModel

BEFORE_BYTES = 650_000_000  # what Python and torch have taken; a constant, so that the same photo is painted alike
_GPU_SHARE = 0.8  # of its free memory


def must_be_in_bands(
    model: StyleModel, photo_size: tuple[int, int], stroke: float | Tensor | None, *, max_memory_bytes: int
) -> bool:
    """For a photo of (height, width); `stroke` None is one scale."""
    needed = needed_bytes(model, photo_size, 1.0 if stroke is None else stroke)
    if model.device.type == "cuda":
        return needed > _GPU_SHARE * torch.cuda.mem_get_info(model.device)[0]
    return needed > max_memory_bytes - BEFORE_BYTES
