"""`pyramid`: moments transferred at one stroke scale after another, the largest first, blended band by band.

A network sees strokes of one size. To paint strokes s times as large, the picture is made s times smaller, painted, and
made s times larger again. What is finer than that can hold stays as it was, for the next scale to paint.

Shape letters: H W picture size.
"""

import math
from collections.abc import Callable, Mapping

from torch import Tensor

from brushnet import images
from brushnet.baselines.bands import join, split

COARSEST_BAND_PX = 8  # short side: the band below it is the light and colour of the whole
SMALLEST_PX = 32  # short side of the photo at its coarsest scale: a smaller one has no texture to speak of

Paint = Callable[[Tensor], Tensor]  # a picture (1, 3, H, W) -> the same picture with strokes of scale 1


def paint_scales(photo_13HW: Tensor, weights: Mapping[float, float], paint: Paint) -> Tensor:
    """The photo with strokes of each scale, by weight: 0 leaves the bands as they were, 1 takes the painted ones.

    In [0, 1], (1, 3, H, W). All weights 0 give the photo, scale 1 alone with weight 1 what `paint` gives.

    Coarse to fine, each scale on what the one before left. Painted one by one from the photo and then averaged, the
    bands of unlike strokes cancelled: the result could hardly be told from that of the finest scale.
    """
    picture = photo_13HW
    for scale in sorted((scale for scale, weight in weights.items() if weight > 0), reverse=True):
        picture = blend(picture, _painted(picture, scale, paint), scale=scale, weight=weights[scale])
    return picture.clamp(0, 1)


def _painted(picture_13HW: Tensor, scale: float, paint: Paint) -> Tensor:
    height, width = picture_13HW.shape[-2:]
    resized = images.resize(picture_13HW, max(1, round(height / scale)), max(1, round(width / scale)))
    return images.resize(paint(resized), height, width)


def blend(picture_13HW: Tensor, painted_13HW: Tensor, *, scale: float, weight: float) -> Tensor:
    """The picture, its bands moved towards the painted ones by `weight`, but for those too fine for strokes of `scale`.

    The mean of two unlike bands has less contrast than either: each is given the mean energy of both.
    """
    count = 1 + max(0, int(math.log2(min(picture_13HW.shape[-2:]) / COARSEST_BAND_PX)))
    first = max(0, round(math.log2(scale)))  # a picture enlarged s times is empty in the bands above
    bands = split(picture_13HW, count)
    for level, painted in enumerate(split(painted_13HW, count)):
        if level >= min(first, count - 1):
            gain = _gain(bands[level], painted, weight) if level < count - 1 else 1.0
            bands[level] = gain * bands[level].lerp(painted, weight)
    return join(bands)


def _gain(band_13HW: Tensor, painted_13HW: Tensor, weight: float) -> float:
    energies = [float(each.square().mean()) for each in (band_13HW, painted_13HW)]
    mean_energy = float(band_13HW.lerp(painted_13HW, weight).square().mean())
    wanted = (1 - weight) * energies[0] + weight * energies[1]
    return math.sqrt(wanted / mean_energy) if mean_energy > 0 else 1.0
