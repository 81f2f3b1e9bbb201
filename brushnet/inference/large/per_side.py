"""A photo painted at another size than its own, in bands (see inference.resolution): the same pixels within rounding.

Shape letters: h w size of the painting that is enlarged.
"""

import math
from collections.abc import Callable

from torch import Tensor

from brushnet.inference.resolution import NEAR_PX, SOME, fitting_share, steps_between
from brushnet.nets.rows import Averaged, Passes, Pointwise, Resized, Rows, Spilled

Paint = Callable[[Rows], Rows]


def paint_at(photo: Rows, short_px: int, *, paint: Paint, passes: Passes) -> Rows:
    """The painting of a photo that is brought to a short side of `short_px`, brought back to the photo's size."""
    zoom = short_px / min(photo.height, photo.width)
    if zoom == 1:
        return paint(photo)
    painted = paint(Resized(photo, max(1, round(photo.height * zoom)), max(1, round(photo.width * zoom))))
    if zoom > 1:
        return Resized(painted, photo.height, photo.width)
    coarse = passes.spill(painted)
    del painted
    *between, last = steps_between((coarse.height, coarse.width), (photo.height, photo.width))
    for size in between:
        coarse = passes.spill(_with_detail(coarse, size, paint, passes))
    return _with_detail(coarse, last, paint, passes)


def _with_detail(coarse: Spilled, size: tuple[int, int], paint: Paint, passes: Passes) -> Rows:
    blurred = Pointwise(_clamped, Resized(coarse, *size, mode="bicubic"))
    repainted = passes.spill(paint(blurred))
    small = (coarse.height, coarse.width)
    detail = _finer(repainted, small)
    finest = _finer(coarse, (math.ceil(small[0] / 2), math.ceil(small[1] / 2)))
    share = fitting_share(size[0] / small[0])

    def gain(fitting: Tensor, there: Tensor) -> Tensor:
        return (share * fitting / (there + SOME)).clamp(max=1)

    gains = passes.spill(Pointwise(gain, _contrast(finest, small), _contrast(detail, small)))
    return Pointwise(_added, blurred, detail, Resized(gains, *size))


def _finer(picture: Rows, size: tuple[int, int]) -> Rows:
    reduced = Resized(picture, *size)
    return Pointwise(Tensor.sub, picture, Resized(reduced, picture.height, picture.width, mode="bicubic"))


def _contrast(detail: Rows, size: tuple[int, int]) -> Rows:
    energy = Resized(Pointwise(_energy, detail, channels=1), *size)
    return Pointwise(Tensor.sqrt, Averaged(energy, NEAR_PX))


def _energy(detail: Tensor) -> Tensor:
    return detail.square().mean(dim=1, keepdim=True)


def _clamped(picture: Tensor) -> Tensor:
    return picture.clamp(0, 1)


def _added(blurred: Tensor, detail: Tensor, gain: Tensor) -> Tensor:
    return blurred.addcmul(detail, gain).clamp_(0, 1)
