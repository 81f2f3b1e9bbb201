"""PNG and TIFF files written by ourselves: with 16 bits a channel, which Pillow does not write in colour.

A TIFF of 8 bits is written here too: Pillow's, where it is compressed, has no room for EXIF.
"""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, TiffImagePlugin

from brushnet.images.metadata import Metadata

_STRIP_BYTES = 1 << 20
_DEFLATE, _RGB, _DIFFERENCES, _XMP_TAG = 8, 2, 2, 700


def png_16(pixels_HW3: np.ndarray, metadata: Metadata) -> bytes:
    """A PNG of uint16."""
    height, width, _ = pixels_HW3.shape
    packer = zlib.compressobj(6)
    body = b"".join(packer.compress(_paeth(strip, above)) for strip, above in _strips_with_row_above(pixels_HW3))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))]
    if metadata.icc:
        chunks.append((b"iCCP", b"profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    if metadata.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    chunks += [(b"IDAT", body + packer.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def tiff(pixels_HW3: np.ndarray, metadata: Metadata) -> bytes:
    """A TIFF of uint8 or uint16, compressed without loss, in strips."""
    height, width, _ = pixels_HW3.shape
    bits = pixels_HW3.dtype.itemsize * 8
    rows = _strip_rows(pixels_HW3)
    strips = [zlib.compress(_differences(pixels_HW3[top : top + rows])) for top in range(0, height, rows)]
    lengths = [len(strip) for strip in strips]
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    _describe(tags, metadata)
    tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH] = width, height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (bits,) * 3
    tags[TiffImagePlugin.COMPRESSION] = _DEFLATE
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = _RGB
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = 3
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
    tags[TiffImagePlugin.PREDICTOR] = _DIFFERENCES
    tags[TiffImagePlugin.ROWSPERSTRIP] = rows
    for tag in (TiffImagePlugin.STRIPBYTECOUNTS, TiffImagePlugin.STRIPOFFSETS):
        tags.tagtype[tag] = 4  # numbers of 32 bits, however small
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(lengths)
    tags[TiffImagePlugin.STRIPOFFSETS] = tuple(np.cumsum([0, *lengths[:-1]]).tolist())  # Pillow adds its own length
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue() + b"".join(strips)


def _describe(tags: TiffImagePlugin.ImageFileDirectory_v2, metadata: Metadata) -> None:
    if metadata.exif:
        exif = Image.Exif()
        exif.load(metadata.exif)
        for tag in exif:
            tags[tag] = exif.get_ifd(tag) if tag in (0x8769, 0x8825) else exif[tag]
    if metadata.icc:
        tags[TiffImagePlugin.ICCPROFILE] = metadata.icc
    if metadata.xmp:
        tags.tagtype[_XMP_TAG] = 1
        tags[_XMP_TAG] = metadata.xmp


def _strip_rows(pixels_HW3: np.ndarray) -> int:
    return max(1, _STRIP_BYTES // pixels_HW3[0].nbytes)


def _strips_with_row_above(pixels_HW3: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rows = _strip_rows(pixels_HW3)
    for top in range(0, len(pixels_HW3), rows):
        yield pixels_HW3[top : top + rows], pixels_HW3[top - 1] if top else np.zeros_like(pixels_HW3[0])


def _differences(pixels_HW3: np.ndarray) -> bytes:
    """Each pixel less its left neighbour, which compresses better."""
    return np.diff(pixels_HW3, axis=1, prepend=pixels_HW3.dtype.type(0)).astype(pixels_HW3.dtype).tobytes()


def _paeth(strip_HW3: np.ndarray, above_W3: np.ndarray) -> bytes:
    """Rows as PNG's filter 4 leaves them: each byte less that of its three neighbours that is nearest to a plane."""
    height = len(strip_HW3)
    rows = np.concatenate([above_W3[None], strip_HW3]).astype(">u2").view(np.uint8).reshape(height + 1, -1)
    padded = np.pad(rows, ((0, 0), (6, 0))).astype(np.int16)  # a pixel has 6 bytes
    here, left, up, corner = padded[1:, 6:], padded[1:, :-6], padded[:-1, 6:], padded[:-1, :-6]
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 4
    filtered[:, 1:] = (here - nearest) & 255
    return filtered.tobytes()
