"""Texture of a picture, tile by tile: what pictures are compared by to find their stroke scale.

An encoder gives maps, they are averaged over overlapping square tiles, and each tile becomes a few groups of numbers.
Shape letters: C channels, T tiles, D numbers that describe a tile.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

Encoder = Callable[[Tensor], Mapping[str, Tensor]]  # RGB (B, 3, H, W) in [0, 1] -> features (B, C, H, W) by layer
Descriptors = dict[str, Tensor]  # (T, D) by group; NaN where a tile cannot say


class Texture(Protocol):
    """What a picture's tiles are described by."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Of the groups."""

    def maps(self, picture_13HW: Tensor) -> list[Tensor]:
        """Maps (C, h, w), finest first, of any sizes in proportion to the picture's."""

    def describe(self, pooled: Sequence[Tensor], *, tile_px: int) -> Descriptors:
        """Groups of numbers from the maps' means over each tile, (C, T) each; as many for every picture."""


class NetworkTexture:
    """How strongly each channel of a network's layers responds, whatever the contrast: the diagonals of its Gram
    matrices over their norms.

    The mean over the picture and the picture turned by 90 degrees: a network tells directions apart, and a photo leads
    the strokes in other directions than the painting. The deepest layer counts most: the shallow ones see bristles and
    edges, and on painted pictures of other photos they were off by two octaves where it was off by 0.4.
    """

    def __init__(self, encode: Encoder, layers: Sequence[str]):
        self.encode, self.layers = encode, layers
        self.weights = {layer: 1.0 if layer == layers[-1] else 0.3 for layer in layers}

    def maps(self, picture_13HW: Tensor) -> list[Tensor]:
        upright = self.encode(picture_13HW)
        turned = self.encode(picture_13HW.rot90(dims=(-2, -1)))
        return [(upright[layer].square() + turned[layer].square().rot90(-1, (-2, -1)))[0] / 2 for layer in self.layers]

    def describe(self, pooled: Sequence[Tensor], *, tile_px: int) -> Descriptors:
        return {
            layer: F.normalize(mean_CT.clamp_min(0).sqrt().T, dim=1, eps=1e-6)
            for layer, mean_CT in zip(self.layers, pooled, strict=True)
        }


def over_tiles(map_CHW: Tensor, *, cells: tuple[int, int], cells_aside: int) -> Tensor:
    """Means over tiles of `cells_aside` cells a side, a tile starting at every cell; `cells` are those of the picture.

    Returns (C, T). A picture of fewer cells is one tile.
    """
    cell_means = F.interpolate(map_CHW[None], cells, mode="area")
    aside = min(cells_aside, cells[0]), min(cells_aside, cells[1])
    return F.avg_pool2d(cell_means, aside, stride=1)[0].flatten(1)


@torch.inference_mode()
def tiles(
    texture: Texture, maps: Sequence[Tensor], size_px: tuple[int, int], *, tile_px: int, steps: int
) -> Descriptors:
    """Descriptors of the tiles of a picture; `size_px` is its height and width, a tile starts at every 1 / `steps`."""
    cell_px = tile_px / steps
    cells = max(1, round(size_px[0] / cell_px)), max(1, round(size_px[1] / cell_px))
    return texture.describe([over_tiles(each, cells=cells, cells_aside=steps) for each in maps], tile_px=tile_px)
