"""Pictures of 16 bits a channel, read. Pillow reads 16 bits of grey only; libvips reads all, where it is installed.

`pip install 'brushnet[large]'`. Of libvips nothing but its readers of PNG and TIFF is asked: those that it has for SVG,
PDF or by way of ImageMagick are no place for a stranger's file.
"""

import functools
import importlib.util
import logging
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from brushnet.errors import ImageError, TooLargeError
from brushnet.images import formats

WHITE = 65535
_STRIP_PIXELS = 1 << 20


@functools.cache
def readable() -> bool:
    """Whether libvips is here; imported on first use, in a moment."""
    return importlib.util.find_spec("pyvips") is not None and libvips() is not None


@functools.cache
def libvips() -> Any:
    """pyvips, or None. It keeps nothing of what it has read."""
    try:
        import pyvips
    except (ImportError, OSError):  # pyvips without libvips
        return None
    # It warns of odd metadata, of a file that it does not name, and tells of its threads.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    pyvips.cache_set_max(0)
    return pyvips


def read(file: BinaryIO, kind: str) -> Tensor | None:
    """Float (3, H, W) in [0, 1] as stored, not upright, transparency over white, of a PNG or TIFF of 16 bits.

    None where libvips is not here, or takes the file for another kind than grey or RGB of 16 bits: then it is to be
    read in 8. ImageError with the cause.
    """
    vips = libvips()
    if vips is None:
        return None
    try:
        source = vips.Source.new_from_descriptor(file.fileno())
        loader = {"PNG": "pngload_source", "TIFF": "tiffload_source"}[kind]
        picture = vips.Operation.call(loader, source, access="sequential", fail_on="truncated")
        if picture.format != "ushort" or picture.interpretation not in ("rgb16", "grey16") or picture.bands > 4:
            return None
        if picture.width * picture.height > formats.MAX_PIXELS:
            raise TooLargeError(f"{picture.width} x {picture.height} pixels are too many")
        return _floats(vips, picture)
    except vips.Error as error:
        raise ImageError(f"broken picture: {' '.join(str(error).split())}") from error


def _floats(vips: Any, picture: Any) -> Tensor:
    """In strips: whole copies of a large picture would be gigabytes."""
    height, width, bands = picture.height, picture.width, picture.bands
    pixels_3HW = torch.empty(3, height, width)
    region = vips.Region.new(picture)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        data = region.fetch(0, top, width, min(rows, height - top))
        levels = np.frombuffer(data, np.uint16).reshape(-1, width, bands).astype(np.float32) / np.float32(WHITE)
        pixels_3HW[:, top : top + rows] = torch.from_numpy(_over_white(levels)).permute(2, 0, 1)
    return pixels_3HW


def _over_white(levels_HWC: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3)"""
    colours = levels_HWC[..., :1] if levels_HWC.shape[-1] < 3 else levels_HWC[..., :3]
    if levels_HWC.shape[-1] in (1, 3):
        return colours
    alpha = levels_HWC[..., -1:]
    return colours * alpha + (1 - alpha)
