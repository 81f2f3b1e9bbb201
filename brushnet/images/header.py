"""What a picture file says of itself: kind, size, bits, EXIF, profile. Its pixels are neither read nor decoded.

Pillow reads a WebP whole, and a PNG whose EXIF comes last, before it tells their size. Here what is asked for is
collected by stepping over the rest.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)

from brushnet.errors import ImageError
from brushnet.images.opening import BROKEN, SIDEWAYS, TURNS, opened_file

# First bytes -> the reader. Not Image.open, which refuses what has more pixels than are decoded in one piece.
_READERS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
)
_TIFF_STARTS = tuple(TiffImagePlugin.PREFIXES)
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"iTXt", b"zTXt", b"tEXt")
_TIFF_CMYK = 5
_MOST_CHUNKS = 1_000_000  # a file of nothing but empty ones would take minutes
_MOST_BYTES = 1 << 24  # of a chunk that is kept, and of all of them


@dataclass(frozen=True)
class Header:
    """`kind` is JPEG, PNG, WEBP, TIFF, BMP or GIF. Height and width are those of the upright picture.

    `bits` is 16 where each channel holds 16 as whole numbers, else 8.
    """

    kind: str
    height: int
    width: int
    bits: int


@dataclass
class Head:
    """As it is stored: not upright, nothing checked."""

    kind: str
    width: int
    height: int
    mode: str = "RGB"
    bits: int = 8
    info: dict[Any, Any] = field(default_factory=dict)
    exif: Image.Exif = field(default_factory=Image.Exif)

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width."""
        return (self.width, self.height) if self.turn in SIDEWAYS else (self.height, self.width)

    @property
    def turn(self) -> Image.Transpose | None:
        """What sets the picture upright."""
        try:
            return TURNS.get(self.exif.get(ExifTags.Base.Orientation, 1))
        except (*BROKEN, TypeError):
            return None


def header(path: str | os.PathLike[str]) -> Header:
    """Of any size: `decode` refuses more than MAX_PIXELS. A missing file is a UserError, a broken one an ImageError."""
    with opened_file(path) as file, head(file) as found:
        return Header(found.kind, *found.upright_size, found.bits)


def size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of the upright picture. Errors as for `header`."""
    found = header(path)
    return found.height, found.width


@contextmanager
def head(file: BinaryIO) -> Iterator[Head]:
    """The file must stay open as long as the EXIF is read. ImageError with the cause."""
    try:
        yield _head(file)
    except BROKEN as error:
        raise ImageError(f"broken picture: {error or type(error).__name__}") from error


def _head(file: BinaryIO) -> Head:
    start = file.read(16)
    file.seek(0)
    if start.startswith(_PNG_START):
        with PngImagePlugin.PngImageFile(io.BytesIO(_png_without_pixels(file))) as picture:
            return _of_pillow(picture, bits=_png_bits(file))
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _webp(file)
    if start.startswith(_TIFF_STARTS):
        return _tiff(file)
    for first, reader in _READERS:
        if start.startswith(first):
            return _of_pillow(reader(file))  # not closed: the file is not ours
    raise ImageError("not a picture, or of an unknown kind")


def _of_pillow(picture: ImageFile.ImageFile, *, bits: int = 8) -> Head:
    assert picture.format is not None
    try:
        exif = Image.Image.getexif(picture)  # not the PNG reader's own, which decodes the picture first
    except (*BROKEN, TypeError):
        exif = Image.Exif()
    return Head(picture.format, picture.width, picture.height, picture.mode, bits, dict(picture.info), exif)


def _png_bits(file: BinaryIO) -> int:
    file.seek(24)
    return 16 if file.read(1) == b"\x10" else 8


def _tiff(file: BinaryIO) -> Head:
    """By its directory: Pillow refuses kinds of pixels that libvips reads, and turns height and width by itself."""
    start = file.read(8)
    start += file.read(8) if b"+" in start[2:4] else b""
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    offset = tags.next
    file.seek(offset)
    tags.load(file)
    width, height = tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
    if not (isinstance(width, int) and isinstance(height, int) and min(width, height) > 0):
        raise ImageError("broken picture: a TIFF without its size")
    info = {"icc_profile": tags.get(TiffImagePlugin.ICCPROFILE), "xmp": tags.get(TiffImagePlugin.XMP)}
    mode = "CMYK" if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _TIFF_CMYK else "RGB"
    return Head("TIFF", width, height, mode, _tiff_bits(tags), info, _tiff_exif(file, start, offset, info["xmp"]))


def _tiff_bits(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    bits, formats = tags.get(TiffImagePlugin.BITSPERSAMPLE, ()), tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
    return 16 if bits and set(bits) == {16} and set(formats) == {1} else 8


def _tiff_exif(file: BinaryIO, start: bytes, offset: int, xmp: Any) -> Image.Exif:
    exif = Image.Exif()
    exif.bigtiff, exif.endian = len(start) > 8, "<" if start[:2] == b"II" else ">"
    exif.load_from_fp(file, offset)
    if ExifTags.Base.Orientation not in exif and isinstance(xmp, bytes):
        exif[ExifTags.Base.Orientation] = _parsed({"xmp": xmp}).get(ExifTags.Base.Orientation, 1)
    return exif


def _png_without_pixels(file: BinaryIO) -> bytes:
    """A PNG of the chunks that tell something, wherever they stand; those that are damaged are left out."""
    kept, spare = [_PNG_START], _MOST_BYTES
    file.seek(len(_PNG_START))
    for _ in range(_MOST_CHUNKS):
        start = file.read(8)
        if len(start) < 8 or start[4:] == b"IEND":
            break
        length, kind = struct.unpack(">I4s", start)
        if kind not in _PNG_KEPT or length > spare:
            file.seek(length + 4, os.SEEK_CUR)
            continue
        body, check = file.read(length), file.read(4)
        if len(check) == 4 and zlib.crc32(kind + body) == int.from_bytes(check):
            kept.append(start + body + check)
            spare -= length
    return b"".join(kept) + struct.pack(">I4sI", 0, b"IDAT", zlib.crc32(b"IDAT"))


def _webp(file: BinaryIO) -> Head:
    found = Head("WEBP", 0, 0)
    file.seek(12)
    for _ in range(_MOST_CHUNKS):
        start = file.read(8)
        if len(start) < 8:
            break
        kind, length = struct.unpack("<4sI", start)
        after = file.tell() + length + length % 2
        if kind in (b"VP8X", b"VP8 ", b"VP8L") and not found.width:
            found.width, found.height = _webp_size(kind, file.read(10))
            if kind != b"VP8X":
                break  # without it nothing but pixels follows
        elif kind in (b"EXIF", b"ICCP", b"XMP ") and length <= _MOST_BYTES:
            name = {b"EXIF": "exif", b"ICCP": "icc_profile", b"XMP ": "xmp"}[kind]
            found.info.setdefault(name, file.read(length))
        file.seek(after)
    if not found.width:
        raise ImageError("broken picture: a WebP without its size")
    found.exif = _parsed(found.info)
    return found


def _webp_size(kind: bytes, start: bytes) -> tuple[int, int]:
    """Width and height: of 24 bits each less one, or of 14."""
    match kind:
        case b"VP8X":
            return int.from_bytes(start[4:7], "little") + 1, int.from_bytes(start[7:10], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(start[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            width, height = struct.unpack("<HH", start[6:10])
            return width & 0x3FFF, height & 0x3FFF


def _parsed(info: dict[str, Any]) -> Image.Exif:
    """As Pillow reads it from any picture, the orientation in the XMP too."""
    picture = Image.new("L", (1, 1))
    picture.info.update(info)
    try:
        return picture.getexif()
    except (*BROKEN, TypeError):
        return Image.Exif()
