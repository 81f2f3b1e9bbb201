"""The photo's colours on the painting's strokes, in the two ways of Gatys et al.

Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer", recolour the style before it is learned; here
it has been learned, and the painting is recoloured.

`luminance` keeps every place's colour, but loses strokes that differ in colour alone; `histogram` keeps all strokes,
but colours may change places.

Shape letters: B batch, H W picture size.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from brushnet.inference.strips import overwrite, strips
from brushnet.measure.likeness import LUMA
from brushnet.transport import transport

MOST_GAIN = 4.0  # that of 82 paintings had a median of 1.9, at most 4.7; beyond, rounding would become colour
_FLOOR = 1e-7  # of the variance: rounding of float32


def with_luminance(photo_B3HW: Tensor, painting_B3HW: Tensor) -> Tensor:
    """The painting's luma, the photo's chroma (I and Q), as much of it as RGB in [0, 1] has at that luma.

    In Oklab, with chroma reduced likewise, pictures look the same; it takes a search for the limit of every pixel.
    """

    return overwrite(painting_B3HW.clone(), exchange_luma, photo_B3HW)


def exchange_luma(painting: Tensor, photo: Tensor) -> Tensor:
    """`with_luminance` of a part of both."""
    return _within_gamut(photo + (_luma(painting) - _luma(photo)))


def with_histogram(photo_B3HW: Tensor, painting_B3HW: Tensor) -> Tensor:
    """Mean and covariance of the painting's RGB moved to the photo's, each picture of a batch for itself.

    By the linear map that moves colours least, and not Gatys' Cholesky factor, which adds coloured fringes. Colours
    outside RGB then lose chroma. A photo of one colour leaves that colour, and no strokes.
    """
    moved_B3HW = painting_B3HW.clone()
    for photo_13HW, moved_13HW in zip(photo_B3HW.split(1), moved_B3HW.split(1), strict=True):
        _move(moved_13HW, photo_13HW)
    return moved_B3HW


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"luminance": with_luminance, "histogram": with_histogram}


class Colours:
    """Mean and covariance of the colours of a picture that is added in parts; float64 on the CPU."""

    def __init__(self) -> None:
        self.count = 0
        self.total_3, self.products_33 = torch.zeros(3, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)

    def add(self, part_13HW: Tensor) -> None:
        pixels_3N = part_13HW[0].flatten(1).cpu().double()
        self.count += pixels_3N.shape[1]
        self.total_3 += pixels_3N.sum(dim=1)
        self.products_33 += pixels_3N @ pixels_3N.mT

    def moments(self) -> tuple[Tensor, Tensor]:
        mean_3 = self.total_3 / self.count
        return mean_3, self.products_33 / self.count - mean_3[:, None] * mean_3


def moving(painting: Colours, photo: Colours) -> Callable[[Tensor], Tensor]:
    """What `with_histogram` does to a part of the painting."""
    (mean_3, covariance_33), (wanted_mean_3, wanted_33) = painting.moments(), photo.moments()
    map_33 = _limited(transport(covariance_33, wanted_33, floor=_FLOOR)).float()
    shift_31 = (wanted_mean_3 - map_33.double() @ mean_3).float()[:, None, None]

    def move(part: Tensor) -> Tensor:
        return _within_gamut(torch.einsum("ij,bjhw->bihw", map_33.to(part), part) + shift_31.to(part))

    return move


def _move(painting_13HW: Tensor, photo_13HW: Tensor) -> None:
    """In place."""
    overwrite(painting_13HW, moving(_colours(painting_13HW), _colours(photo_13HW)))


def _colours(picture_13HW: Tensor) -> Colours:
    colours = Colours()
    for (strip,) in strips(picture_13HW):
        colours.add(strip)
    return colours


def _limited(map_33: Tensor) -> Tensor:
    gains_3, axes_33 = torch.linalg.eigh(map_33)
    return (axes_33 * gains_3.clamp_max(MOST_GAIN)) @ axes_33.mT


def _within_gamut(rgb: Tensor) -> Tensor:
    """Same luma and hue, chroma reduced until every channel is in [0, 1]; clipping each by itself would turn hues."""
    luma = _luma(rgb)
    chroma, luma = rgb - luma, luma.clamp(0, 1)
    room = torch.where(chroma > 0, 1 - luma, luma) / chroma.abs().clamp_min(1e-6)
    return (luma + chroma * room.amin(dim=1, keepdim=True).clamp_max(1)).clamp(0, 1)


def _luma(rgb: Tensor) -> Tensor:
    red, green, blue = rgb.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
