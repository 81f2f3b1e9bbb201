"""Pictures read: every kind becomes upright RGB, transparency over white."""

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from brushnet.errors import ImageError, TooLargeError
from brushnet.images import deep, formats
from brushnet.images.header import head
from brushnet.images.opening import opened, opened_file, too_many_pixels, upright
from brushnet.images.pixels import to_float

_STRIP_PIXELS = 1 << 20  # converted at a time: whole copies of a 200 megapixel picture would be gigabytes


def decode(data: bytes, *, short_side_px: int | None = None) -> Tensor:
    """Encoded picture -> uint8 (3, H, W), upright, transparency over white, of an animation the first frame.

    `short_side_px` allows a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size as long as its short side keeps that
    many pixels: a camera's photo then takes 20 ms and not 200. Raises ImageError with the cause.
    """
    return _decode(io.BytesIO(data), short_side_px)


def read(path: str | os.PathLike[str]) -> Tensor:
    """Float (1, 3, H, W) in [0, 1]. A missing file is a UserError, a broken one an ImageError.

    A PNG or TIFF of 16 bits a channel keeps them where libvips is installed, and is read in 8 where it is not.
    """
    with opened_file(path) as file:
        pixels_3HW = _read_deep(file)
        return (to_float(_decode(file, None)) if pixels_3HW is None else pixels_3HW)[None]


def read_uint8(path: str | os.PathLike[str], *, short_side_px: int | None = None) -> Tensor:
    """uint8 (3, H, W). `short_side_px` as for `decode`."""
    with opened_file(path) as file:
        return _decode(file, short_side_px)


def read_grey(path: str | os.PathLike[str]) -> Tensor:
    """Grey levels, float (1, 1, H, W) in [0, 1], 16 bits kept; colours by their luma, transparency ignored.

    Errors as for `read`; ImageError also where a level is no finite number, as a TIFF of floats can have it.
    """
    with opened_file(path) as file, opened(file) as picture:
        picture.load()
        return torch.from_numpy(_grey(upright(picture)))[None, None]


def _read_deep(file: BinaryIO) -> Tensor | None:
    """Upright float (3, H, W) of what has 16 bits a channel, else None, and the file back at its start."""
    try:
        with head(file) as found:
            turn = found.turn
            is_deep = found.bits == 16
            if is_deep and found.width * found.height > formats.MAX_PIXELS:
                raise TooLargeError(too_many_pixels(found.width, found.height))
        file.seek(0)
        pixels_3HW = deep.read(file, found.kind) if is_deep and deep.readable() else None
    finally:
        file.seek(0)
    return pixels_3HW if pixels_3HW is None or turn is None else _turned(pixels_3HW, turn)


def _turned(pixels_3HW: Tensor, turn: Image.Transpose) -> Tensor:
    match turn:
        case Image.Transpose.FLIP_LEFT_RIGHT:
            return pixels_3HW.flip(2)
        case Image.Transpose.FLIP_TOP_BOTTOM:
            return pixels_3HW.flip(1)
        case Image.Transpose.TRANSPOSE:
            return pixels_3HW.mT.contiguous()
        case Image.Transpose.TRANSVERSE:
            return pixels_3HW.mT.flip(1, 2)
    quarters = {Image.Transpose.ROTATE_90: 1, Image.Transpose.ROTATE_180: 2, Image.Transpose.ROTATE_270: 3}[turn]
    return pixels_3HW.rot90(quarters, (1, 2)).contiguous()


def _decode(file: BinaryIO, short_side_px: int | None) -> Tensor:
    with opened(file) as picture:
        if short_side_px is not None:
            picture.draft(None, (short_side_px, short_side_px))
        picture.load()
        pixels_HWC = _rgb(upright(picture))
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)


def _rgb(picture: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8, writable."""
    wide = _is_wide(picture)
    white = _white(picture) if wide else 0
    pixels_HW3 = np.empty((picture.height, picture.width, 3), np.uint8)
    for rows, strip in _strips(picture):
        pixels_HW3[rows] = _wide_grey(strip, white)[..., None] if wide else np.asarray(_opaque(strip))
    return pixels_HW3


def _grey(picture: Image.Image) -> np.ndarray:
    """(H, W) float32 in [0, 1]."""
    wide = _is_wide(picture)
    white = _white(picture) if wide else 255
    grey_HW = np.empty((picture.height, picture.width), np.float32)
    for rows, strip in _strips(picture):
        levels = np.asarray(strip if wide else strip.convert("RGB").convert("L"))
        if not np.isfinite(levels).all():
            raise ImageError("grey levels that are no finite numbers")
        grey_HW[rows] = np.clip(levels / white, 0, 1)
    return grey_HW


def _is_wide(picture: Image.Image) -> bool:
    """Grey of more than 8 bits."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;")


def _strips(picture: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    height = max(1, _STRIP_PIXELS // max(1, picture.width))
    if height >= picture.height:
        yield slice(None), picture
        return
    for top in range(0, picture.height, height):
        bottom = min(picture.height, top + height)
        yield slice(top, bottom), picture.crop((0, top, picture.width, bottom))


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _wide_grey(picture: Image.Image, white: float) -> np.ndarray:
    """Grey of more than 8 bits -> uint8 (H, W). Pillow's own conversion clips at 255, which turns it white."""
    return np.rint(np.clip(_levels(picture) / white, 0, 1) * 255).astype(np.uint8)


def _white(picture: Image.Image) -> float:
    """65535 for integers. For floats, and for what goes beyond, the file does not say, so the values do."""
    top = max(float(_levels(strip).max(initial=0)) for _, strip in _strips(picture))
    return next((white for white in ((1, 255, 65535) if picture.mode == "F" else (65535,)) if white >= top), top)


def _levels(picture: Image.Image) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a file may hold NaNs of the kind that signals
        return np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0.0, neginf=0.0)
