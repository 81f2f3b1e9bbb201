"""Brush flow: the direction in which a painter would drag the brush at each pixel of a photo.

Along edges where the photo has edges (its structure tensor), along smooth swirls where it is flat.
Directions have no sign (pi-periodic), so everything is smoothed as a double angle.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]


class Flow(NamedTuple):
    """Fields of shape (H, W)."""

    angle: Array  # direction of the stroke in radians, x to the right, y down
    curvature_per_px: Array  # how fast the angle turns when walking along it


def brush_flow(photo_13HW: Tensor, *, smooth_px: float, swirl_13HW: Tensor, swirl_weight: float = 0.08) -> Flow:
    """Flow of a photo, steered by the contours of `swirl_13HW` (smooth noise) where the photo says nothing."""
    photo_j = _double_angle(blur(photo_13HW, 0.35 * smooth_px))
    swirl_j = _double_angle(swirl_13HW)
    # The square root keeps one strong edge from ruling its whole neighbourhood.
    photo_j = blur(photo_j / (photo_j.norm(dim=1, keepdim=True) + 1e-8).sqrt(), smooth_px)
    strength = photo_j.norm(dim=1, keepdim=True)
    swirl_j = swirl_j / (swirl_j.norm(dim=1, keepdim=True) + 1e-8)
    mixed = photo_j / (strength.mean() + 1e-8) + swirl_weight * swirl_j
    unit = blur(mixed / (mixed.norm(dim=1, keepdim=True) + 1e-8), 0.7 * smooth_px)
    unit = unit / (unit.norm(dim=1, keepdim=True) + 1e-8)
    cos2, sin2 = unit[0, 0].numpy(), unit[0, 1].numpy()
    # The tensor points across edges; a stroke runs along them.
    angle = 0.5 * np.arctan2(sin2, cos2) + np.pi / 2
    return Flow(angle.astype(np.float32), _turning(cos2, sin2, angle))


def swirls(height: int, width: int, *, feature_px: float, draws: np.random.Generator) -> Tensor:
    """Smooth noise whose contours swirl; blobs of about `feature_px`. Returns (1, 3, H, W)."""
    rows, columns = max(2, round(height / feature_px) + 1), max(2, round(width / feature_px) + 1)
    coarse = torch.from_numpy(draws.standard_normal((1, 1, rows, columns), dtype=np.float32))
    return F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True).expand(-1, 3, -1, -1)


def blur(image_BCHW: Tensor, sigma_px: float) -> Tensor:
    """Gaussian blur; the border pixel is repeated outwards."""
    if sigma_px < 0.2:
        return image_BCHW
    radius = max(1, int(3 * sigma_px + 0.5))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma_px) ** 2)
    taps = (taps / taps.sum()).to(image_BCHW)
    B, C, H, W = image_BCHW.shape
    planes = image_BCHW.reshape(B * C, 1, H, W)
    planes = F.conv2d(F.pad(planes, (radius, radius, 0, 0), mode="replicate"), taps.view(1, 1, 1, -1))
    planes = F.conv2d(F.pad(planes, (0, 0, radius, radius), mode="replicate"), taps.view(1, 1, -1, 1))
    return planes.reshape(B, C, H, W)


def gradient(image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences in x and y, of the shape of the image."""
    padded = F.pad(image_BCHW, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return dx, dy


def _double_angle(image_13HW: Tensor) -> Tensor:
    """Structure tensor summed over the colours, as (1, 2, H, W): (Jxx - Jyy, 2 Jxy)."""
    dx, dy = gradient(image_13HW)
    return torch.cat([(dx * dx - dy * dy).sum(1, keepdim=True), (2 * dx * dy).sum(1, keepdim=True)], dim=1)


def _turning(cos2: Array, sin2: Array, angle: Array) -> Array:
    """Derivative of the angle along its own direction, in radians per px."""
    dcos, dsin = (np.stack(gradient(torch.from_numpy(f)[None, None])) for f in (cos2, sin2))
    dangle = 0.5 * (cos2 * dsin - sin2 * dcos)[:, 0, 0]
    return (dangle[0] * np.cos(angle) + dangle[1] * np.sin(angle)).astype(np.float32)
