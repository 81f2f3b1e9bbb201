"""Pixels as numbers: bytes and floats, and other sizes."""

from torch import Tensor, float32, uint8
from torch.nn import functional as F


def to_float(image_uint8: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1], on the same device."""
    return image_uint8.to(float32).div_(255)


def to_uint8(image: Tensor) -> Tensor:
    """[0, 1] -> uint8, rounded to nearest; what lies outside is clamped."""
    return image.float().clamp(0, 1).mul_(255).round_().to(uint8)  # in place: a contact sheet is large


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bilinear resize of (..., 3, H, W), uint8 or float; keeps the dtype."""
    if image.shape[-2:] == (height, width):
        return image
    images_B3HW = image.reshape(-1, *image.shape[-3:])
    if image.dtype == uint8 and image.device.type != "cpu":  # only the CPU resizes uint8
        return to_uint8(resize(to_float(image), height, width))
    resized = F.interpolate(images_B3HW, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized.reshape(*image.shape[:-2], height, width)


def resize_short_side(image: Tensor, px: int) -> Tensor:
    """Resize so that the short side has `px` pixels; keeps the aspect ratio."""
    height, width = image.shape[-2:]
    scale = px / min(height, width)
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
