"""Work on pixels in strips of rows: of a large picture's temporaries, only a strip's are ever in memory.

Shape letters: B batch, H W picture size.
"""

from collections.abc import Callable, Iterator

from torch import Tensor

STRIP_PIXELS = 1 << 18


def strips(*pictures_B3HW: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of each of the pictures, which have one size, from top to bottom; views, not copies."""
    batch, _, height, width = pictures_B3HW[0].shape
    rows = max(1, STRIP_PIXELS // (batch * width))
    for top in range(0, height, rows):
        yield tuple(picture[:, :, top : top + rows] for picture in pictures_B3HW)


def overwrite(picture_B3HW: Tensor, work: Callable[..., Tensor], *others_B3HW: Tensor) -> Tensor:
    """The picture itself, each strip replaced by `work(strip, *strips of the others)`, which sees pixels only."""
    for strip, *rest in strips(picture_B3HW, *others_B3HW):
        strip.copy_(work(strip, *rest))
    return picture_B3HW
