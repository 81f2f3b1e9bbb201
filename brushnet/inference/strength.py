"""Strength: how much of the painting is seen, from the photo (0) to the painting (1) and beyond.

A plain blend shows the photo's fine detail through half of the strokes, and beyond 1 it turns what was red green. So
colours and layout (what is left at a sixteenth of the resolution) follow the strength, and strokes come first.

The measured stroke scale is off from the painting's by 0.18 and 0.39 octave at strength 0.5 and by 0.01 at 0.75 and 1.5
(starry-night and the-scream as they ship, means of 4 photos and 3 scales). A plain blend: 1.29 and 1.17 at 0.5. Chosen
on the models before them, where it was off by 0.09 at 0.5: a plain blend 0.90, one before the sigmoid 0.94, one that
favours either picture's detail where it has more 0.35, strokes by a square instead of a cube 0.25.

Shape letters: B batch, H W picture size, h w layout size.
"""

import torch
from torch import Tensor

from brushnet import images
from brushnet.inference.strips import overwrite

LAYOUT_PX = 16  # detail is what this reduction loses; 8 and 32 look alike, 0.15 and 0.06 octave off where 16 was 0.09


def at_strength(photo_B3HW: Tensor, painting_B3HW: Tensor, strength: float) -> Tensor:
    """Photo at 0, painting at 1: that tensor itself. Beyond, its strokes with more contrast. In [0, 1]."""
    if strength == 0:
        return photo_B3HW
    if strength == 1:
        return painting_B3HW
    if strength > 1:
        return _with_contrast(painting_B3HW, strength - 1)
    detail = 1 - (1 - strength) ** 3
    # layout + detail * (blend - layout), in place: a large picture takes hundreds of megabytes.
    mixed = _enlarged(_layout(painting_B3HW) - _layout(photo_B3HW), like=photo_B3HW).mul_(strength - detail)
    return mixed.add_(photo_B3HW, alpha=1 - detail).add_(painting_B3HW, alpha=detail).clamp_(0, 1)


def _with_contrast(painting_B3HW: Tensor, more: float) -> Tensor:
    """Detail enlarged by the share `more`, and by less where there is no room: nothing is clipped to flat colour."""

    def enlarge(painting: Tensor, layout: Tensor) -> Tensor:
        step = more * (painting - layout)
        room = torch.where(step > 0, 1 - painting, painting)
        return painting + step * room / (step.abs() + room).clamp_min(1e-6)

    layout_B3HW = _enlarged(_layout(painting_B3HW), like=painting_B3HW)
    return overwrite(painting_B3HW.clone(), enlarge, layout_B3HW)


def _layout(picture_B3HW: Tensor) -> Tensor:
    height, width = (max(1, round(side / LAYOUT_PX)) for side in picture_B3HW.shape[-2:])
    return images.resize(picture_B3HW, height, width)


def _enlarged(layout_B3hw: Tensor, *, like: Tensor) -> Tensor:
    return images.resize(layout_B3hw, *like.shape[-2:])
