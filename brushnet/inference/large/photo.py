"""A photo of any size, decoded once, into rows that every pass can read: upright RGB of 8 or 16 bits.

What fits in memory is decoded by Pillow. The rest is streamed by libvips (`pip install 'brushnet[large]'`), of which
only the readers of our formats are asked.

Shape letters: H W size, C channels.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from brushnet import images
from brushnet.errors import ImageError, TooLargeError
from brushnet.images.deep import libvips
from brushnet.images.header import head
from brushnet.images.opening import opened_file
from brushnet.inference.large.spills import Spill, Spills

MOST_PIXELS = 2_000_000_000  # a small file can claim more than any disk holds
_DECODED_BYTES = 11  # a pixel: Pillow's picture, its upright copy, ours
_WHOLE_BYTES = {"WEBP": 8, "interlaced": 8}  # a pixel of what libvips too holds whole: WebP, progressive JPEG and PNG
_STRIP_PIXELS = 1 << 21
_LOADERS = {"JPEG": "jpegload", "PNG": "pngload", "TIFF": "tiffload", "WEBP": "webpload"}


def read_photo(path: Path, spills: Spills) -> Spill:
    """Bands of it are (1, 3, rows, W) in [0, 1]. ImageError with the cause, UserError where the file is missing."""
    header = images.header(path)
    pixels = header.height * header.width
    check_pixels(header.height, header.width)
    fits = pixels <= images.MAX_PIXELS and pixels * _DECODED_BYTES <= spills.memory_bytes
    if fits and header.bits == 8:
        return _decoded(path, spills)
    streamable = header.kind in _LOADERS and libvips() is not None
    if streamable:
        return _streamed(path, header, spills)
    if header.bits == 16 and fits:
        return _decoded(path, spills)
    raise TooLargeError(
        f"{header.width} x {header.height} pixels do not fit in the memory that is allowed, "
        + ("pip install 'brushnet[large]' reads them in parts" if header.kind in _LOADERS else f"as {header.kind} must")
    )


def check_pixels(height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise TooLargeError(f"{width} x {height} pixels: more than {MOST_PIXELS // 10**6} megapixels are refused")


def _decoded(path: Path, spills: Spills) -> Spill:
    pixels_HWC = images.read_uint8(path).permute(1, 2, 0).numpy()
    height, width, _ = pixels_HWC.shape
    spill = spills.empty(3, height, width, dtype=torch.uint8)
    for top in range(0, height, rows := max(1, _STRIP_PIXELS // width)):
        spill.write_levels(top, pixels_HWC[top : top + rows])
    return spill


def _streamed(path: Path, header: images.Header, spills: Spills) -> Spill:
    vips = libvips()
    with opened_file(path) as file, head(file) as found:
        turn = found.turn
    try:
        picture = vips.Operation.call(
            _LOADERS[header.kind], os.fspath(path), access="sequential", fail_on="truncated", **_options(header)
        )
        _check_streamable(picture, header, spills)
        spill = spills.empty(3, header.height, header.width, dtype=_dtype(picture))
        region = vips.Region.new(picture)
        rows = max(16, _STRIP_PIXELS // picture.width)
        for top in range(0, picture.height, rows):
            count = min(rows, picture.height - top)
            data = region.fetch(0, top, picture.width, count)
            stored = np.frombuffer(data, np.uint8 if spill.dtype == torch.uint8 else np.uint16)
            strip = _rgb(stored.reshape(count, picture.width, picture.bands), picture.interpretation)
            _write_upright(spill, strip, top, turn)
    except vips.Error as error:
        raise ImageError(f"broken picture: {' '.join(str(error).split())}") from error
    return spill


def _options(header: images.Header) -> dict[str, Any]:
    return {"unlimited": True} if header.kind in ("JPEG", "PNG") else {}


def _check_streamable(picture: Any, header: images.Header, spills: Spills) -> None:
    turned = {(header.height, header.width), (header.width, header.height)}
    if (picture.height, picture.width) not in turned:
        raise ImageError(f"broken picture: its size is {picture.width} x {picture.height} and another in its header")
    whole = header.kind if header.kind in _WHOLE_BYTES else "interlaced" if _interlaced(picture) else None
    if whole and picture.width * picture.height * _WHOLE_BYTES[whole] > spills.memory_bytes:
        raise TooLargeError(
            f"{picture.width} x {picture.height} pixels as {whole} {'' if whole == 'WEBP' else header.kind + ' '}"
            "can only be read whole, and do not fit in the memory that is allowed; save it as TIFF"
        )


def _interlaced(picture: Any) -> bool:
    return bool(picture.get_typeof("interlaced")) and bool(picture.get("interlaced"))


def _dtype(picture: Any) -> torch.dtype:
    grey_or_rgb = picture.interpretation in ("b-w", "srgb", "rgb", "grey16", "rgb16")
    if picture.format == "uchar" and (grey_or_rgb or picture.interpretation == "cmyk") and picture.bands <= 4:
        return torch.uint8
    if picture.format == "ushort" and grey_or_rgb and picture.bands <= 4:
        return torch.uint16
    raise ImageError(f"pixels of {picture.interpretation} as {picture.format} are only read in smaller pictures")


def _rgb(strip_HWC: np.ndarray, interpretation: str) -> np.ndarray:
    """(H, W, 3), transparency over white, as brushnet.images has it: eight bits by Pillow's own conversions."""
    bands = strip_HWC.shape[-1]
    if strip_HWC.dtype == np.uint16:
        return _rgb_16(strip_HWC)
    if bands == 3:
        return strip_HWC
    mode = "CMYK" if interpretation == "cmyk" else {1: "L", 2: "LA", 4: "RGBA"}[bands]
    picture = Image.fromarray(strip_HWC[..., 0] if bands == 1 else strip_HWC, mode)
    if mode in ("LA", "RGBA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(picture.convert("RGB"))


def _rgb_16(strip_HWC: np.ndarray) -> np.ndarray:
    bands = strip_HWC.shape[-1]
    colours = strip_HWC[..., :1] if bands < 3 else strip_HWC[..., :3]
    if bands in (2, 4):
        alpha = strip_HWC[..., -1:].astype(np.float64) / 65535
        colours = np.rint(colours * alpha + 65535 * (1 - alpha)).astype(np.uint16)
    return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))


def _write_upright(spill: Spill, strip_HWC: np.ndarray, top: int, turn: Image.Transpose | None) -> None:
    """`strip` begins at row `top` of the picture as it is stored."""
    ways = Image.Transpose
    sideways = turn in (ways.TRANSPOSE, ways.TRANSVERSE, ways.ROTATE_90, ways.ROTATE_270)
    if turn in (ways.FLIP_LEFT_RIGHT, ways.ROTATE_180, ways.ROTATE_90, ways.TRANSVERSE):
        strip_HWC = strip_HWC[:, ::-1]
    first = top
    if turn in (ways.FLIP_TOP_BOTTOM, ways.ROTATE_180, ways.ROTATE_270, ways.TRANSVERSE):
        strip_HWC = strip_HWC[::-1]
        first = (spill.width if sideways else spill.height) - top - len(strip_HWC)
    if sideways:
        spill.write_columns(first, strip_HWC.swapaxes(0, 1))
    else:
        spill.write_levels(first, strip_HWC)
