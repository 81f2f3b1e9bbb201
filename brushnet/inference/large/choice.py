"""Whether a photo is painted as a whole, or in bands, which take less memory and are faster where it is large."""

import torch
from torch import Tensor

from brushnet.inference.large.paint import needed_bytes
from brushnet.models import StyleModel

BEFORE_BYTES = 650_000_000  # what Python and torch have taken; a constant, so that the same photo is painted alike
# ns a pixel whole and in bands, default network, two idle cores, with sides of 1448, 2048 and 3000 px: 302 and 302, 368
# and 312, 414 and 298 at s = 1; 605 and 556, 798 and 535, 830 and 530 at s = 0.5.
FASTER_IN_BANDS_PX = 2_500_000
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
    faster = model.device.type == "cpu" and model.net.ends == "patch" and height * width > FASTER_IN_BANDS_PX
    return faster or needed > max_memory_bytes - BEFORE_BYTES
