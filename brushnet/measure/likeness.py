"""How like its photo, and how like its painting, a picture is: structural similarity (SSIM) and palette distance.

Shape letters: B batch, C channels, H W picture size, N pixels, D directions, K bins.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SSIM_WINDOW_PX, SSIM_SIGMA_PX = 11, 1.5
SSIM_CONSTANTS = (0.01**2, 0.03**2)
LUMA = (0.299, 0.587, 0.114)

DIRECTIONS = 32
BINS = 1024
REACH = 1.1  # no sRGB colour is farther from black in Oklab
MOST_PIXELS = 1 << 17  # more do not change a palette: of larger pictures every second, third, ... pixel is taken

# sRGB (linear) -> cone responses, and their cube roots -> Oklab. Ottosson 2020, "A perceptual color space for image
# processing".
RGB_TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
LMS_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


class Palette(NamedTuple):
    """A picture's colours without their places: the distribution function along each direction, (D, K)."""

    distribution: Tensor


def ssim(picture_13HW: Tensor, photo_13HW: Tensor) -> float:
    """Structural similarity of two pictures of one size, in grey: 1 for equal ones, around 0 for unrelated ones.

    Wang et al. 2004 with their window (Gaussian, 11 px, sigma 1.5) and constants, the mean over all positions where the
    window fits (in pictures under 11 px a window of their size).
    """
    pair = torch.cat([_grey(picture_13HW), _grey(photo_13HW)])
    x, y = pair.split(1)
    blurred = _blur(torch.cat([x, y, x * x, y * y, x * y], dim=1))
    mean_x, mean_y, xx, yy, xy = blurred.split(1, dim=1)
    var_x, var_y, both = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    c1, c2 = SSIM_CONSTANTS
    similarity = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(similarity.mean())


def palette(picture_13HW: Tensor) -> Palette:
    """Of a picture in [0, 1]; where the pixels lie does not matter."""
    pixels_3N = picture_13HW[0].flatten(1)
    pixels_3N = pixels_3N[:, :: math.ceil(pixels_3N.shape[1] / MOST_PIXELS)]
    along_DN = _directions() @ oklab(pixels_3N[None])[0]
    bins_DN = ((along_DN + REACH) * (BINS / (2 * REACH))).long().clamp_(0, BINS - 1)
    bins_DN += BINS * torch.arange(DIRECTIONS)[:, None]
    counts = torch.bincount(bins_DN.flatten(), minlength=DIRECTIONS * BINS).view(DIRECTIONS, BINS)
    return Palette(counts.double().cumsum(dim=1) / pixels_3N.shape[1])


def palette_distance(one: Palette, other: Palette) -> float:
    """How far colours must be moved to turn one palette into the other, in Oklab (black to white is 1).

    Sliced Wasserstein-1 distance (Rabin et al. 2011; Bonneel et al. 2015): the mean over directions of the area between
    the distribution functions, here over 32 directions spread evenly and not at random. Doubled, since a direction sees
    half of a shift in the mean: moving every colour by d is then a distance of d. 0 for the same colours in any order.
    """
    area_D = (one.distribution - other.distribution).abs().sum(dim=1) * (2 * REACH / BINS)
    return 2 * float(area_D.mean())


def oklab(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] -> Oklab, (B, 3, ...): lightness in [0, 1], then green to red and blue to yellow, within 0.4."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp_min(0) ** 2.4)
    cones = torch.einsum("ij,bj...->bi...", rgb.new_tensor(RGB_TO_LMS), linear)
    return torch.einsum("ij,bj...->bi...", rgb.new_tensor(LMS_TO_LAB), cones.clamp_min(0) ** (1 / 3))


def _directions() -> Tensor:
    """Unit vectors (D, 3), even over half a sphere: a Fibonacci lattice (the other half sees the same)."""
    place = (torch.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    turn = torch.arange(DIRECTIONS) * (math.pi * (3 - math.sqrt(5)))
    radius = (1 - place**2).sqrt()
    return torch.stack([radius * turn.cos(), radius * turn.sin(), place], dim=1)


def _grey(picture_13HW: Tensor) -> Tensor:
    return (picture_13HW * picture_13HW.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _blur(maps_1CHW: Tensor) -> Tensor:
    channels = maps_1CHW.shape[1]
    for dim, shape in ((2, (1, 1, -1, 1)), (3, (1, 1, 1, -1))):
        window = _gaussian(min(SSIM_WINDOW_PX, maps_1CHW.shape[dim])).view(shape)
        maps_1CHW = F.conv2d(maps_1CHW, window.expand(channels, -1, -1, -1), groups=channels)
    return maps_1CHW


def _gaussian(px: int) -> Tensor:
    from_middle = torch.arange(px) - (px - 1) / 2
    weights = (-(from_middle**2) / (2 * SSIM_SIGMA_PX**2)).exp()
    return weights / weights.sum()
