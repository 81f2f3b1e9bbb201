"""Where a new scene begins: by the grey levels of small frames.

Two signs together, as neither is enough: places change (a fast pan does that too) and the histogram changes (a light
that is switched on does that too).

Shape letters: H W frame size.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SMALL_PX = 32
LEVELS = 32
PLACES = 0.08  # mean difference of the small frames
HISTOGRAM = 0.25  # share of pixels whose level would have to change


class CutFinder:
    """`finder(frame)` says whether a scene begins with this frame; it has seen the one before."""

    def __init__(self) -> None:
        self.small: Tensor | None = None
        self.histogram: Tensor | None = None

    def __call__(self, frame_3HW: Tensor) -> bool:
        small = _small_grey(frame_3HW)
        histogram = torch.histc(small, LEVELS, 0, 1) / small.numel()
        before, self.small = self.small, small
        histogram_before, self.histogram = self.histogram, histogram
        if before is None or histogram_before is None:
            return True
        return bool(
            (small - before).abs().mean() > PLACES and (histogram - histogram_before).abs().sum() / 2 > HISTOGRAM
        )


def _small_grey(frame_3HW: Tensor) -> Tensor:
    grey_11HW = frame_3HW.float().mean(dim=0)[None, None] / 255
    return F.interpolate(grey_11HW, (SMALL_PX, SMALL_PX), mode="area").clamp(0, 1)
