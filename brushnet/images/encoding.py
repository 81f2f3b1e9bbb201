"""Pictures written: whole or not at all, in the format that the suffix names."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.files import write_whole
from brushnet.images import deep_files
from brushnet.images.formats import LONGEST_SIDE_PX, SAVE_OPTIONS, WRITABLE, holds_16_bits, kind_of
from brushnet.images.metadata import NOTHING, Metadata
from brushnet.images.pixels import to_uint8

# What costs this picture and no other: longer names than the disk takes or (FAT) with characters that it does not take,
# a file where its folder should be or the other way, a folder of others.
_OF_THIS_PICTURE = (
    errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EACCES,
    errno.EPERM,
)  # fmt: skip
_MOST_JPEG_BYTES = 65_533 - 30  # of a marker, less its name


def write(
    image_13HW: Tensor,
    path: str | os.PathLike[str],
    *,
    quality: int = 95,
    bits: int = 8,
    metadata: Metadata = NOTHING,
) -> None:
    """Write (1, 3, H, W) or (3, H, W) in [0, 1]; the suffix selects the format. Missing folders are made.

    `quality`, 1 to 100, is that of JPEG and WebP; the other formats lose nothing. `bits` may be 16 for PNG and TIFF.

    Whole or not at all: nobody ever sees half a picture. ImageError where the format cannot hold a picture of this size
    or the disk no such name, BrushnetError where the disk fails or is full.
    """
    path = Path(path)
    if kind_of(path.suffix) is None:
        raise UserError(f"cannot write {path}: the suffix must be one of {', '.join(WRITABLE)}")
    if bits != 8 and not (bits == 16 and holds_16_bits(path.suffix)):
        raise UserError(f"cannot write {path}: {bits} bits a channel; allowed are 8, and 16 in PNG and TIFF")
    image = image_13HW.detach().reshape(image_13HW.shape[-3:])
    encoded = _encoded(image, path.suffix, quality, bits, metadata)
    try:
        write_whole(path, encoded, flushed=False)
    except OSError as error:
        kind = ImageError if error.errno in _OF_THIS_PICTURE else BrushnetError
        raise kind(f"cannot write {path}: {error.strerror or error}") from error


def check_fits(height: int, width: int, suffix: str) -> None:
    """ImageError where the format cannot hold a picture of this size: before it is painted."""
    kind = kind_of(suffix)
    longest = LONGEST_SIDE_PX.get(kind or "", max(height, width))
    if max(height, width) > longest:
        raise ImageError(f"{width} x {height} px cannot be written as {kind}: at most {longest} px a side")


def encode_jpeg(image_uint8: Tensor, *, quality: int) -> bytes:
    """uint8 (3, H, W) -> JPEG without metadata; the same bytes for the same pixels."""
    return _by_pillow(image_uint8, {"format": "JPEG", "quality": quality})


def to_pillow(image_uint8: Tensor) -> Image.Image:
    return Image.fromarray(image_uint8.permute(1, 2, 0).contiguous().numpy())


def _encoded(image_3HW: Tensor, suffix: str, quality: int, bits: int, metadata: Metadata) -> bytes:
    options = SAVE_OPTIONS[suffix.lower()]
    kind = options["format"]
    check_fits(image_3HW.shape[-2], image_3HW.shape[-1], suffix)
    if kind == "TIFF":
        return deep_files.tiff(_levels(image_3HW, bits), metadata)
    if bits == 16:
        return deep_files.png_16(_levels(image_3HW, bits), metadata)
    if kind in ("JPEG", "WEBP"):
        options = {**options, "quality": quality}
    return _by_pillow(to_uint8(image_3HW).cpu(), {**options, **_described(kind, metadata)})


def _levels(image_3HW: Tensor, bits: int) -> np.ndarray:
    """(H, W, 3) uint8 or uint16, rounded to nearest."""
    if bits == 8:
        return to_uint8(image_3HW).permute(1, 2, 0).contiguous().cpu().numpy()
    levels = image_3HW.float().clamp(0, 1).mul_(65535).round_().to(torch.int32)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy().astype(np.uint16)


def _described(kind: str, metadata: Metadata) -> dict[str, Any]:
    """Options of Pillow. What a JPEG has no room for is left out."""
    largest = _MOST_JPEG_BYTES if kind == "JPEG" else 1 << 30
    options: dict[str, Any] = {}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif and len(metadata.exif) <= largest:
        options["exif"] = metadata.exif
    if metadata.xmp and len(metadata.xmp) <= largest:
        if kind == "PNG":
            options["pnginfo"] = PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
        else:
            options["xmp"] = metadata.xmp
    return options


def _by_pillow(image_uint8: Tensor, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    try:
        to_pillow(image_uint8).save(buffer, **options)
    except (OSError, ValueError) as error:
        height, width = image_uint8.shape[-2:]
        raise ImageError(f"{width} x {height} px cannot be written as {options['format']}: {error}") from error
    return buffer.getvalue()
