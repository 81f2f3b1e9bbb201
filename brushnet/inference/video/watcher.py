"""What is to be known of each frame before it is painted, seen beside those before it: cuts, the camera, the light."""

from dataclasses import dataclass

from torch import Tensor

from brushnet.inference.video.anchor import Anchor
from brushnet.inference.video.cuts import CutFinder
from brushnet.inference.video.light import Light


@dataclass(frozen=True)
class Look:
    """Of a frame: whether a scene begins with it, how far right and down its picture has `moved` in the scene.

    `gain` is what it is to be multiplied by, to be as bright as those around it.
    """

    time_s: float
    cut: bool
    moved: tuple[int, int] = (0, 0)
    gain: float = 1.0


class Watcher:
    """Call it on each frame in turn."""

    def __init__(self) -> None:
        self.find_cut, self.anchor, self.light = CutFinder(), Anchor(), Light()

    def __call__(self, frame_3HW: Tensor, time_s: float) -> Look:
        """`frame` is uint8."""
        cut = self.find_cut(frame_3HW)
        moved = self.anchor(frame_3HW, cut=cut)
        return Look(time_s, cut, moved, self.light(frame_3HW, time_s, cut=cut))
