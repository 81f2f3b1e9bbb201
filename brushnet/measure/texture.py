"""Texture of a picture, tile by tile: what pictures are compared by to find their stroke scale.

An encoder gives maps, they are averaged over overlapping square tiles, and each tile becomes a few groups of numbers.
Shape letters: C channels, T tiles, D numbers that describe a tile.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import seeds

DIRECTIONS = 16  # of a layer's channels

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
    """Covariances of a network's features within each tile over their norms, so whatever the contrast.

    Of each layer 16 random directions of its channels: on parts of rescaled paintings SqueezeNet is as exact by them as
    the filter bank, and they take a tenth of the memory of all. The mean over the picture and the picture turned by 90
    degrees: a network tells directions apart, and a photo leads the strokes in other directions than the painting. The
    deepest layer counts most: by it alone `compact` is off by half as much as by the one before.
    """

    def __init__(self, encode: Encoder, layers: Sequence[str]):
        self.encode, self.layers = encode, layers
        self.weights = {layer: 1.0 if layer == layers[-1] else 0.3 for layer in layers}

    def maps(self, picture_13HW: Tensor) -> list[Tensor]:
        """Of each layer products of directions, their values, and their values in the turned picture."""
        upright = self.encode(picture_13HW)
        turned = self.encode(picture_13HW.rot90(dims=(-2, -1)))
        found = []
        for layer in self.layers:
            values = [_directions(each) for each in (upright[layer][0], turned[layer][0].rot90(-1, (-2, -1)))]
            row, column = torch.triu_indices(len(values[0]), len(values[0]))
            products = torch.stack([each[row] * each[column] for each in values]).mean(dim=0)
            found.append(torch.cat([products, *values]))
        return found

    def describe(self, pooled: Sequence[Tensor], *, tile_px: int) -> Descriptors:
        return {layer: _covariances(mean_CT) for layer, mean_CT in zip(self.layers, pooled, strict=True)}


def _directions(feats_CHW: Tensor) -> Tensor:
    """(DIRECTIONS, H, W), or as many as there are channels."""
    count = len(feats_CHW)
    drawn = torch.from_numpy(seeds.rng(0, "directions").standard_normal((count, count), dtype="float32"))
    return torch.einsum("kc,chw->khw", torch.linalg.qr(drawn).Q[:DIRECTIONS], feats_CHW)


def _covariances(mean_CT: Tensor) -> Tensor:
    """From the means of products and values, (T, D) of norm 1; as far apart as the whole symmetric matrices."""
    count = round((math.sqrt(25 + 8 * len(mean_CT)) - 5) / 2)  # n (n + 1) / 2 products and 2 n values
    row, column = torch.triu_indices(count, count)
    products, upright, turned = mean_CT.split([len(row), count, count])
    covariance = products - (upright[row] * upright[column] + turned[row] * turned[column]) / 2
    twice = torch.where(row == column, 1.0, math.sqrt(2))
    return F.normalize((covariance * twice[:, None]).T, dim=1, eps=1e-9)


@torch.inference_mode()
def tiles(
    texture: Texture, maps: Sequence[Tensor], size_px: tuple[int, int], *, tile_px: int, steps: int
) -> Descriptors:
    """Descriptors of the tiles of a picture; `size_px` is its height and width, a tile starts at every 1 / `steps`."""
    pooled = [over_tiles(each, size_px=size_px, tile_px=tile_px, steps=steps) for each in maps]
    return texture.describe(pooled, tile_px=tile_px)


def over_tiles(map_CHW: Tensor, *, size_px: tuple[int, int], tile_px: int, steps: int) -> Tensor:
    """Means over the tiles, (C, T), row by row; a picture smaller than a tile is one.

    Tiles are made of cells of a `steps`-th of their side, as many of them as fit the picture best.
    """
    rows, columns = (max(1, round(side * steps / tile_px)) for side in size_px)
    cell_means = F.interpolate(map_CHW[None], (rows, columns), mode="area")
    return F.avg_pool2d(cell_means, (min(steps, rows), min(steps, columns)), stride=1)[0].flatten(1)
