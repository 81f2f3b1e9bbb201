"""Strength: how much of the painting is seen, from the photo (0) to the painting (1) and beyond.

A plain blend shows the photo's fine detail through half of the strokes, and beyond 1 it turns what was red green. So
colours and layout (what is left at a sixteenth of the resolution) follow the strength, and strokes come first.

The measured stroke scale is off from the painting's by 0.01 to 0.04 octave at strength 0.5, 0.75 and 1.5 (starry-night
and the-scream as they ship, means of 4 photos and 3 scales). A plain blend: 0.25 and 0.6 at 0.5. Chosen on the models
before the last, where it was off by 0.09 at 0.5: a plain blend 0.90, one before the sigmoid 0.94, one that
favours either picture's detail where it has more 0.35, strokes by a square instead of a cube 0.25.

Shape letters: B batch, H W picture size, h w layout size.
"""

from functools import partial

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
        layout_B3HW = _enlarged(_layout(painting_B3HW), like=painting_B3HW)
        return overwrite(painting_B3HW.clone(), partial(stronger, strength=strength), layout_B3HW)
    layout_step = _enlarged(_layout(painting_B3HW) - _layout(photo_B3HW), like=photo_B3HW)
    return mixed(layout_step, photo_B3HW, painting_B3HW, strength=strength)


def mixed(layout_step: Tensor, photo: Tensor, painting: Tensor, *, strength: float) -> Tensor:
    """Strength below 1, of whole pictures or parts; written over `layout_step`, that of the painting less the photo's.

    layout + detail * (blend - layout), in place: a large picture takes hundreds of megabytes.
    """
    detail = 1 - (1 - strength) ** 3
    mix = layout_step.mul_(strength - detail)
    return mix.add_(photo, alpha=1 - detail).add_(painting, alpha=detail).clamp_(0, 1)


def stronger(painting: Tensor, layout: Tensor, *, strength: float) -> Tensor:
    """Strength above 1, of a whole picture or a part.

    Detail is enlarged, and by less where there is no room: nothing is clipped to flat colour.
    """
    step = (strength - 1) * (painting - layout)
    room = torch.where(step > 0, 1 - painting, painting)
    return painting + step * room / (step.abs() + room).clamp_min(1e-6)


def layout_size(height: int, width: int) -> tuple[int, int]:
    return max(1, round(height / LAYOUT_PX)), max(1, round(width / LAYOUT_PX))


def _layout(picture_B3HW: Tensor) -> Tensor:
    return images.resize(picture_B3HW, *layout_size(*picture_B3HW.shape[-2:]))


def _enlarged(layout_B3hw: Tensor, *, like: Tensor) -> Tensor:
    return images.resize(layout_B3hw, *like.shape[-2:])
