"""A picture written as it is computed, from the top down: encoded by libvips, never whole in memory.

What fits is written as every other picture is. libvips is fed through a pipe, with a PNG that is not compressed: so its
threads encode while ours paints, and none of them runs our code.

Shape letters: H W picture size.
"""

import io
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError, ImageError
from brushnet.files import written_whole
from brushnet.images.deep import libvips
from brushnet.images.formats import kind_of

_WHOLE_BYTES = 28  # a pixel: floats, levels, Pillow's picture, what is encoded
_SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("jpegsave", {"subsample_mode": "off", "optimize_coding": False}),
    "PNG": ("pngsave", {"compression": 6}),
    "WEBP": ("webpsave", {}),
    "TIFF": ("tiffsave", {"compression": "deflate", "predictor": "horizontal"}),
}
_CLASSIC_TIFF_BYTES = 3_800_000_000  # it counts bytes in 32 bits


def fits_whole(height: int, width: int, memory_bytes: float) -> bool:
    return height * width * _WHOLE_BYTES <= memory_bytes


def write_rows(
    bands: Iterable[tuple[int, Tensor]],
    path: Path,
    height: int,
    width: int,
    *,
    quality: int,
    bits: int,
    metadata: images.Metadata,
    whole: bool,
) -> None:
    """Bands are (1, 3, rows, W) in [0, 1]. Errors as `images.write`; whatever the bands raise leaves no file behind."""
    if whole:
        picture_13HW = torch.empty(1, 3, height, width)
        for top, band in bands:
            picture_13HW[:, :, top : top + band.shape[2]] = band
        images.write(picture_13HW, path, quality=quality, bits=bits, metadata=metadata)
        return
    try:
        with written_whole(path) as partial:
            saver = _Saver(partial, kind_of(path.suffix) or "", height, width, quality, bits, metadata)
            saver.save(bands)
    except OSError as error:
        raise BrushnetError(f"cannot write {path}: {error.strerror or error}") from error


class _Saver:
    def __init__(
        self, partial: Path, kind: str, height: int, width: int, quality: int, bits: int, metadata: images.Metadata
    ):
        self.name, options = _SAVERS[kind]
        self.options = dict(options)
        if kind in ("JPEG", "WEBP"):
            self.options["Q"] = quality
        if kind == "TIFF":
            self.options["bigtiff"] = height * width * 3 * bits // 8 > _CLASSIC_TIFF_BYTES
        self.partial, self.bits, self.metadata = partial, bits, metadata
        self.height, self.width = height, width
        self.failure: Exception | None = None

    def save(self, bands: Iterable[tuple[int, Tensor]]) -> None:
        reading, writing = os.pipe()
        encoder = threading.Thread(target=self._encode, args=(reading,))
        encoder.start()
        try:
            with open(writing, "wb", buffering=0) as pipe:
                for part in _plain_png(bands, self.height, self.width, self.bits):
                    _send(pipe, memoryview(part))
        except BrokenPipeError:  # the encoder has given up, and says why
            pass
        finally:  # closed, the pipe ends the encoder too
            encoder.join()
        if self.failure is not None:
            raise _told(self.failure) from self.failure

    def _encode(self, reading: int) -> None:
        try:
            vips = libvips()
            source = vips.Source.new_from_descriptor(reading)
        except Exception as error:  # told by the thread that waits
            self.failure = error
            return
        finally:
            os.close(reading)  # libvips has its own
        try:
            picture = vips.Image.pngload_source(source, access="sequential", fail_on="truncated", unlimited=True)
            del source  # the picture has it, and closes it: else one end of the pipe would stay open
            picture = _described(vips, picture, self.metadata)
            vips.Operation.call(self.name, picture, os.fspath(self.partial), keep="all", **self.options)
        except Exception as error:
            self.failure = error


def _described(vips: Any, picture: Any, metadata: images.Metadata) -> Any:
    picture = picture.copy()
    for name, data in (
        ("exif-data", metadata.exif),
        ("icc-profile-data", metadata.icc),
        ("xmp-data", metadata.xmp),
    ):
        if data:
            picture.set_type(vips.GValue.blob_type, name, data)
    return picture


def _send(pipe: io.RawIOBase, data: memoryview) -> None:
    while len(data):
        data = data[pipe.write(data) or 0 :]


def _plain_png(bands: Iterable[tuple[int, Tensor]], height: int, width: int, bits: int) -> Iterator[bytes]:
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    packer = zlib.compressobj(0)
    for _, band_13HW in bands:
        levels_HX = _levels(band_13HW, bits).reshape(band_13HW.shape[2], -1)
        unfiltered = np.pad(levels_HX, ((0, 0), (1, 0)))  # each row begins with the number of its filter
        yield _chunk(b"IDAT", packer.compress(unfiltered.data))
    yield _chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _levels(band_13HW: Tensor, bits: int) -> np.ndarray:
    """Bytes, of 16 bits the higher one first."""
    rows_HW3 = band_13HW[0].permute(1, 2, 0)
    if bits == 8:
        return images.to_uint8(rows_HW3).contiguous().cpu().numpy()
    levels = rows_HW3.clamp(0, 1).mul(65535).round_().to(torch.int32).contiguous().cpu().numpy()
    return levels.astype(">u2").view(np.uint8)


def _told(failure: Exception) -> Exception:
    text = " ".join(str(failure).split())
    if "No space left" in text or "write error" in text:
        return OSError(28, "No space left on device")
    return ImageError(f"cannot be encoded: {text}")
