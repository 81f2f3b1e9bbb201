"""Light that wavers, evened out for the network: lamps on mains current, a camera that corrects its exposure.

Instance norm by the frame's own statistics takes a change of light for none, held statistics do not: a frame that is
brighter by 3 % would be painted brighter. How bright the light is is told by the middle one of many places, so that a
thing that passes does not count.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SMALL_PX = 24
EVEN_S = 1.0  # light that changes in less time is evened out
MOST = 0.25  # of the gain's logarithm
_DARK, _BRIGHT = 0.04, 0.94  # levels that noise or the sensor's end would falsify


class Light:
    """Call it on each frame in turn."""

    def __init__(self) -> None:
        self.before: Tensor | None = None
        self.level = self.held = self.time_s = 0.0  # logarithms, since the scene began

    def __call__(self, frame_3HW: Tensor, time_s: float, *, cut: bool) -> float:
        """The gain that makes the frame as bright as those around it in time. `frame` is uint8."""
        small = F.interpolate(frame_3HW[None].float() / 255, (SMALL_PX, SMALL_PX), mode="area").mean(dim=1)
        before, self.before = self.before, small
        passed_s, self.time_s = max(time_s - self.time_s, 0.0), time_s
        if cut or before is None:
            self.level = self.held = 0.0
            return 1.0
        self.level += _change(before, small)
        kept = math.exp(-passed_s / EVEN_S)
        self.held = kept * self.held + (1 - kept) * self.level
        return math.exp(min(max(self.held - self.level, -MOST), MOST))


def _change(before: Tensor, after: Tensor) -> float:
    usable = (torch.minimum(before, after) > _DARK) & (torch.maximum(before, after) < _BRIGHT)
    if usable.sum() < usable.numel() // 8:
        return 0.0
    return float((after[usable] / before[usable]).log().median())
