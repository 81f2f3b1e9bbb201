"""A map of stroke scales over a picture, made ready for the network: of the picture's shape, small and smooth.

Shape letters: B batch, H W picture size, h w size of a stroke map.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.errors import UserError

ASPECT_TOLERANCE = 0.02
CELL_PX = 16  # of the picture; finer than strokes and than the network's receptive field
MOST_CELLS = 96  # a side: the network turns each cell into some 1,900 numbers, so 96 x 96 into 70 MB
SMOOTHING_CELLS = 1.0  # standard deviation


def check_aspect(
    map_size: tuple[int, int], photo_size: tuple[int, int], *, name: str = "stroke map", photo: str = "the photo"
) -> None:
    """UserError where a map, both sizes (height, width), is neither one point nor of the photo's shape.

    2 % are allowed, and one pixel more or less on either side of the map: programs round differently.
    """
    (h, w), (height, width) = map_size, photo_size
    if (h, w) == (1, 1):
        return
    off_w, off_h = abs(w - h * width / height), abs(h - w * height / width)
    if off_w > max(1, ASPECT_TOLERANCE * w) and off_h > max(1, ASPECT_TOLERANCE * h):
        raise UserError(
            f"{name} is {w} x {h} px, {photo} {width} x {height}; the map must have the photo's aspect ratio"
        )


def fit_map(log2_stroke_B1hw: Tensor, photo_size: tuple[int, int]) -> Tensor:
    """The map on a grid of cells of at least CELL_PX over the picture. One number (1 x 1) stays as it is.

    Smoothed, as a hard edge between two brushes would be a seam in the picture. Enlarged too, where the map is coarser
    than the grid: between two cells the network interpolates what it made of them, and that is not what it makes of the
    scales between.
    """
    if log2_stroke_B1hw.shape[-2:] == (1, 1):
        return log2_stroke_B1hw
    cell_px = max(CELL_PX, max(photo_size) / MOST_CELLS)
    grid = [max(1, math.ceil(side / cell_px)) for side in photo_size]
    resized = F.interpolate(log2_stroke_B1hw, grid, mode="bilinear", antialias=True, align_corners=False)
    return _smoothed(_smoothed(resized).mT).mT


def _smoothed(values_B1hw: Tensor) -> Tensor:
    """A Gaussian along the rows; the last cell goes on beyond the border."""
    radius = math.ceil(3 * SMOOTHING_CELLS)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / SMOOTHING_CELLS) ** 2)
    kernel = (weights / weights.sum()).view(1, 1, 1, -1).to(values_B1hw)
    return F.conv2d(F.pad(values_B1hw, (radius, radius, 0, 0), mode="replicate"), kernel)
