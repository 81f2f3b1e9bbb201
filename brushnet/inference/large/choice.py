"""Whether a photo is painted as a whole, which is faster, or in bands, which take less memory."""

import torch
from torch import Tensor

from brushnet.inference.large.paint import needed_bytes
from brushnet.models import StyleModel

BEFORE_BYTES = 650_000_000  # what Python and torch have taken; a constant, so that the same photo is painted alike
_GPU_SHARE = 0.8  # of its free memory


def must_be_in_bands(
    model: StyleModel,
    photo_size: tuple[int, int],
    stroke: float | Tensor,
    short_px: int | None = None,
    *,
    max_memory_bytes: int,
) -> bool:
    """For a photo of (height, width), painted at a short side of `short_px` where that is not its own."""
    # What is enlarged is painted once more at the photo's own size.
    zoom = max(1.0, (short_px or 0) / min(photo_size))
    height, width = (round(side * zoom) for side in photo_size)
    needed = needed_bytes(model, (height, width), stroke)
    if model.device.type == "cuda":
        return needed > _GPU_SHARE * torch.cuda.mem_get_info(model.device)[0]
    return needed > max_memory_bytes - BEFORE_BYTES
