"""Pictures in and out: read, write, resize, contact sheet.

Pixels are RGB float32 in [0, 1], (1, 3, H, W); where a name says uint8 they are (3, H, W) uint8.
Everything is decoded by Pillow: as fast as torchvision.io (0.8 and 0.7 ms for a JPEG of 480 x 320 px, same bytes out),
which is deprecated since torchvision 0.29 and knows neither CMYK nor TIFF nor 16 bits.
"""

import errno
import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from brushnet.errors import BrushnetError, ImageError, TooLargeError, UserError
from brushnet.files import write_whole

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
MAX_PIXELS = 200_000_000  # a small file can claim more pixels than fit in memory
# Only formats that Pillow decodes itself: its EPS reader, for one, would start Ghostscript on an untrusted file.
# MPO is not named: Pillow registers it with JPEG, and asking for it by itself is a KeyError.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "subsampling": 0},
    ".jpeg": {"format": "JPEG", "subsampling": 0},
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP"},
    ".tif": {"format": "TIFF", "compression": "tiff_deflate"},
    ".tiff": {"format": "TIFF", "compression": "tiff_deflate"},
}
WRITABLE = tuple(_SAVE_OPTIONS)
_TURNS = {  # EXIF orientation -> what sets the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = tuple(_TURNS[orientation] for orientation in (5, 6, 7, 8))  # height and width change places
# What Pillow raises on broken files: tried on a million mutilated JPEGs and on 200,000 pictures of all other kinds.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, LookupError, ArithmeticError)
# Of a file system: longer names than it takes, or (FAT) with characters that it does not take.
_REFUSED_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
_STRIP_PIXELS = 1 << 20  # converted at a time: whole copies of a 200 megapixel picture would be gigabytes

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own alarm would go off at 89 megapixels, a good camera's picture
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata, of a file they do not name


def decode(data: bytes, *, short_side_px: int | None = None) -> Tensor:
    """Encoded picture -> uint8 (3, H, W), upright, transparency over white, of an animation the first frame.

    `short_side_px` allows a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size as long as its short side keeps that
    many pixels: a camera's photo then takes 20 ms and not 200. Raises ImageError with the cause.
    """
    return _decode(io.BytesIO(data), short_side_px)


def read(path: str | os.PathLike[str]) -> Tensor:
    """Float (1, 3, H, W) in [0, 1]. A missing file is a UserError, a broken one an ImageError."""
    return to_float(read_uint8(path))[None]


def read_uint8(path: str | os.PathLike[str], *, short_side_px: int | None = None) -> Tensor:
    """uint8 (3, H, W). `short_side_px` as for `decode`."""
    with _file(path) as file:
        return _decode(file, short_side_px)


def read_grey(path: str | os.PathLike[str]) -> Tensor:
    """Grey levels, float (1, 1, H, W) in [0, 1], 16 bits kept; colours by their luma, transparency ignored.

    Errors as for `read`; ImageError also where a level is no finite number, as a TIFF of floats can have it.
    """
    with _file(path) as file, _opened(file) as picture:
        picture.load()
        return torch.from_numpy(_grey(_upright(picture)))[None, None]


def size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of an upright picture, from its header: the rest is not read. Errors as for `read`."""
    with _file(path) as file, _opened(file) as picture:
        turned = _turn(picture) in _SIDEWAYS
        return (picture.width, picture.height) if turned else (picture.height, picture.width)


def write(image_13HW: Tensor, path: str | os.PathLike[str], *, quality: int = 95) -> None:
    """Write (1, 3, H, W) or (3, H, W) in [0, 1]; the suffix selects the format. Missing folders are made.

    `quality`, 1 to 100, is that of JPEG and WebP; the other formats lose nothing.

    Whole or not at all: nobody ever sees half a picture. ImageError where the format cannot hold
    a picture of this size or the disk no such name, BrushnetError where the disk fails or is full.
    """
    path = Path(path)
    options = _SAVE_OPTIONS.get(path.suffix.lower())
    if options is None:
        raise UserError(f"cannot write {path}: the suffix must be one of {', '.join(WRITABLE)}")
    if options["format"] in ("JPEG", "WEBP"):  # Pillow refuses it for TIFF
        options = {**options, "quality": quality}
    image = to_uint8(image_13HW.detach()).reshape(image_13HW.shape[-3:]).cpu()
    encoded = _encode(image, options)
    try:
        write_whole(path, encoded, flushed=False)
    except OSError as error:
        kind = ImageError if error.errno in _REFUSED_NAME else BrushnetError
        raise kind(f"cannot write {path}: {error.strerror or error}") from error


def _decode(file: BinaryIO, short_side_px: int | None) -> Tensor:
    with _opened(file) as picture:
        if short_side_px is not None:
            picture.draft(None, (short_side_px, short_side_px))
        picture.load()
        pixels_HWC = _rgb(_upright(picture))
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)


def _encode(image_uint8: Tensor, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    try:
        _to_pillow(image_uint8).save(buffer, **options)
    except (OSError, ValueError) as error:  # JPEG ends at 65,500 px a side, WebP at 16,383
        height, width = image_uint8.shape[-2:]
        raise ImageError(f"{width} x {height} px cannot be written as {options['format']}: {error}") from error
    return buffer.getvalue()


def encode_jpeg(image_uint8: Tensor, *, quality: int) -> bytes:
    """uint8 (3, H, W) -> JPEG without metadata; the same bytes for the same pixels."""
    return _encode(image_uint8, {"format": "JPEG", "quality": quality})


def to_float(image_uint8: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1], on the same device."""
    return image_uint8.to(torch.float32).div_(255)


def to_uint8(image: Tensor) -> Tensor:
    """[0, 1] -> uint8, rounded to nearest; what lies outside is clamped."""
    return image.float().clamp(0, 1).mul_(255).round_().to(torch.uint8)  # in place: a contact sheet is large


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bilinear resize of (..., 3, H, W), uint8 or float; keeps the dtype."""
    if image.shape[-2:] == (height, width):
        return image
    images_B3HW = image.reshape(-1, *image.shape[-3:])
    if image.dtype == torch.uint8 and image.device.type != "cpu":  # only the CPU resizes uint8
        return to_uint8(resize(to_float(image), height, width))
    resized = F.interpolate(images_B3HW, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized.reshape(*image.shape[:-2], height, width)


def resize_short_side(image: Tensor, px: int) -> Tensor:
    """Resize so that the short side has `px` pixels; keeps the aspect ratio."""
    height, width = image.shape[-2:]
    scale = px / min(height, width)
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Pictures below a folder, by suffix, sorted by path; what is hidden is left out, and what is no file."""
    if not Path(folder).is_dir():
        raise UserError(f"folder not found: {folder}")
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if name.lower().endswith(SUFFIXES) and name[0] != "."]
    return sorted(path for path in found if not _is_waited_for(path))


def _is_waited_for(path: Path) -> bool:
    """A pipe or a device: who reads it may wait for ever. A link to nothing is none: reading it fails."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def sheet(
    rows: Sequence[Sequence[Tensor | None]],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    cell_px: int = 256,
    gap_px: int = 6,
) -> Tensor:
    """Contact sheet, float (1, 3, H, W), of (1, 3, h, w) pictures in [0, 1]; None leaves a cell blank.

    Each picture is fitted into cell_px x cell_px; rows and columns are only as large as what they hold.
    """
    cells = [[None if cell is None else _to_pillow(_fit(cell, cell_px)) for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    font_px = max(11, cell_px // 14)
    font = ImageFont.load_default(size=font_px)
    label_px = max((int(font.getlength(label)) for label in row_labels), default=-gap_px) + gap_px
    header_px = int(font_px * 1.4) if column_labels else 0
    sizes = [[cell.width for row in cells for cell in row[column : column + 1] if cell] for column in range(columns)]
    widths = [max(size, default=cell_px) for size in sizes]
    heights = [max((cell.height for cell in row if cell), default=cell_px) for row in cells]
    lefts = np.cumsum([gap_px + label_px, *[width + gap_px for width in widths]])
    tops = np.cumsum([gap_px + header_px, *[height + gap_px for height in heights]])
    canvas = Image.new("RGB", (int(lefts[-1]), int(tops[-1])), "white")
    draw = ImageDraw.Draw(canvas)
    for label, left, width in zip(column_labels, lefts, widths, strict=False):
        draw.text((int(left) + width // 2, gap_px), label, "black", font, anchor="ma")
    for label, top, height in zip(row_labels, tops, heights, strict=False):
        draw.text((gap_px, int(top) + height // 2), label, "black", font, anchor="lm")
    for row, top, height in zip(cells, tops, heights, strict=False):
        for cell, left, width in zip(row, lefts, widths, strict=False):
            if cell is not None:
                canvas.paste(cell, (int(left) + (width - cell.width) // 2, int(top) + (height - cell.height) // 2))
    return to_float(torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous())[None]


def _fit(image_13HW: Tensor, cell_px: int) -> Tensor:
    height, width = image_13HW.shape[-2:]
    scale = cell_px / max(height, width)
    image = to_uint8(image_13HW.detach()[0]).cpu()
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))


@contextmanager
def _file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    try:
        with Path(path).open("rb") as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"picture not found: {path}") from None
    except OSError as error:
        raise UserError(f"picture cannot be read: {path} ({error.strerror})") from None


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """Header read, pixels not yet. Whatever goes wrong until it is closed is an ImageError with the cause."""
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise TooLargeError(_too_many_pixels(picture.width, picture.height))
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLargeError(_too_many_pixels()) from None
    except Image.UnidentifiedImageError:
        raise ImageError("not a picture, or of an unknown kind") from None
    except _BROKEN as error:
        raise ImageError(f"broken picture: {error or type(error).__name__}") from error


def _upright(picture: Image.Image) -> Image.Image:
    """Not Pillow's exif_transpose: that writes the EXIF anew, and fails when the EXIF alone is broken."""
    turn = _turn(picture)
    return picture if turn is None else picture.transpose(turn)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except (*_BROKEN, TypeError):  # which came once, from a mutilated EXIF
        return None


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


def _to_pillow(image_uint8: Tensor) -> Image.Image:
    return Image.fromarray(image_uint8.permute(1, 2, 0).contiguous().numpy())


def _too_many_pixels(width: int = 0, height: int = 0) -> str:
    size = f"{width} x {height}" if width else "too many"
    return f"{size} pixels: more than {MAX_PIXELS // 1_000_000} megapixels are refused"
