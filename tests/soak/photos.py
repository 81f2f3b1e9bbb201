"""Folders of many small photos, damaged ones among them: each of them once, in every way that was thought of."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from brushnet import seeds

FORMATS = ("JPEG", "JPEG", "JPEG", "JPEG", "PNG", "WEBP")
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
PER_FOLDER = 500


def encoded(number: int, kind: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """A photo that is like no other."""
    coarse = Image.fromarray(seeds.rng(7, "soak photo", number).integers(256, size=(6, 8, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, kind)
    return buffer.getvalue()


def write_photos(folder: Path, count: int, *, damaged: int) -> tuple[list[Path], list[Path]]:
    """(good photos, damaged ones), `count` of both, the damaged spread evenly."""
    good, bad = [], []
    every = count // damaged if damaged else count + 1
    for number in range(count):
        place = folder / f"part {number // PER_FOLDER:02d}"
        place.mkdir(parents=True, exist_ok=True)
        if number % every == every // 2 and len(bad) < damaged:
            name, damage = list(DAMAGES.items())[len(bad) % len(DAMAGES)]
            bad.append(place / f"{number:05d} {name}")
            damage(bad[-1], number)
        else:
            kind = FORMATS[number % len(FORMATS)]
            good.append(place / f"{number:05d}{SUFFIXES[kind]}")
            good[-1].write_bytes(encoded(number, kind))
    return good, bad


def _written(make: Callable[[int], bytes]) -> Callable[[Path, int], None]:
    def write(path: Path, number: int) -> None:
        path.write_bytes(make(number))

    return write


def _png(width: int, height: int, bits: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _huge_jpeg(number: int) -> bytes:
    """A photo whose header claims 65,535 x 65,535 px."""
    data = bytearray(encoded(number, "JPEG"))
    size = data.index(b"\xff\xc0") + 5
    data[size : size + 4] = b"\xff\xff\xff\xff"
    return bytes(data)


def _half(kind: str) -> Callable[[int], bytes]:
    def make(number: int) -> bytes:
        data = encoded(number, kind)
        return data[: len(data) // 2]

    return make


def _junk(number: int) -> bytes:
    return seeds.rng(7, "soak junk", number).bytes(3000)


DAMAGES: dict[str, Callable[[Path, int], None]] = {
    "empty.jpg": _written(lambda number: b""),
    "one byte.jpg": _written(lambda number: b"\xff"),
    "cut.jpg": _written(_half("JPEG")),
    "cut.png": _written(_half("PNG")),
    "cut.webp": _written(_half("WEBP")),
    "junk.jpg": _written(_junk),
    "huge.png": _written(lambda number: _png(100_000, 100_000, 8, zlib.compress(bytes(100)))),
    "huge.jpg": _written(_huge_jpeg),
    "no picture.png": _written(lambda number: f"shopping list {number}\n".encode()),
    "archive.jpg": _written(lambda number: b"PK\x03\x04" + _junk(number)),
    "no frames.gif": _written(lambda number: b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0, 0, 0) + b";"),
    "deep junk.png": _written(lambda number: _png(64, 48, 16, _junk(number))),
    "junk.tif": _written(lambda number: b"II*\x00\x08\x00\x00\x00" + _junk(number)),
    "junk.bmp": _written(lambda number: b"BM" + _junk(number)),
    "to nothing.jpg": lambda path, number: path.symlink_to(path.with_name("gone.jpg")),
    "to itself.jpg": lambda path, number: path.symlink_to(path.name),
}
