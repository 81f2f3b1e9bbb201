"""The Laplacian pyramid (Burt and Adelson 1983): a picture as bands of one octave each, which sum to it exactly.

Shape letters: H W picture size, h w size of one band.
"""

from collections.abc import Sequence

from torch import Tensor

from brushnet import images


def split(picture_13HW: Tensor, bands: int) -> list[Tensor]:
    """Bands (1, 3, h, w), finest first, each half as large as the one before; the last is the picture made small."""
    found = []
    for _ in range(bands - 1):
        height, width = picture_13HW.shape[-2:]
        small = images.resize(picture_13HW, max(1, (height + 1) // 2), max(1, (width + 1) // 2))
        found.append(picture_13HW - images.resize(small, height, width))
        picture_13HW = small
    return [*found, picture_13HW]


def join(bands: Sequence[Tensor]) -> Tensor:
    """The picture that `split` made these bands of."""
    picture = bands[-1]
    for band in reversed(bands[:-1]):
        picture = band + images.resize(picture, *band.shape[-2:])
    return picture
