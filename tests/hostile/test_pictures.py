"""Pictures of every format, as photos and as stroke maps."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.images import formats
from brushnet.inference.map_file import read_map
from brushnet.strokes import Painting
from tests.hostile.mutations import bytes_mutated
from tests.hostile.watch import outcome

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
FEW_PIXELS = 1_000_000  # allowed here, so that a header's claim costs a moment and not a minute


def encoded(kind: str, mode: str = "RGB", **options) -> bytes:
    picture = Image.fromarray(PIXELS).convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def wide(kind: str, dtype: type) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((PIXELS[..., 0] / np.float64(255) * (1 if dtype is np.float32 else 65535)).astype(dtype)).save(
        buffer, kind
    )
    return buffer.getvalue()


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "of a strange camera"
    return encoded("JPEG", exif=exif)


KINDS = {
    "jpeg": lambda: encoded("JPEG"),
    "progressive": lambda: encoded("JPEG", progressive=True),
    "cmyk": lambda: encoded("JPEG", "CMYK"),
    "exif": with_exif,
    "png": lambda: encoded("PNG"),
    "palette": lambda: encoded("PNG", "P"),
    "transparent": lambda: encoded("PNG", "LA"),
    "webp": lambda: encoded("WEBP"),
    "tiff": lambda: encoded("TIFF"),
    "deflate": lambda: encoded("TIFF", compression="tiff_adobe_deflate"),
    "lzw": lambda: encoded("TIFF", compression="tiff_lzw"),
    "bmp": lambda: encoded("BMP"),
    "gif": lambda: encoded("GIF", save_all=True, append_images=[Image.fromarray(PIXELS[::-1])]),
}
GREY = {
    "png16": lambda: wide("PNG", np.uint16),
    "tiff float": lambda: wide("TIFF", np.float32),
    **{kind: KINDS[kind] for kind in ("exif", "webp", "lzw")},
}


def deep(suffix: str, bands: int) -> bytes:
    """16 bits a channel, by our own writer where it writes such, with metadata."""
    pyvips = pytest.importorskip("pyvips")
    levels = np.random.default_rng(1).integers(0, 65536, (24, 32, bands)).astype(np.uint16)
    picture = pyvips.Image.new_from_memory(levels.tobytes(), 32, 24, bands, "ushort")
    picture = picture.copy(interpretation="rgb16" if bands > 2 else "grey16")
    return picture.pngsave_buffer() if suffix == "png" else picture.tiffsave_buffer(compression="lzw")


def described(suffix: str, bits: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[700] = 6, "a strange camera", b""
    exif[0x8769] = {0x9003: "2026:01:01 00:00:00", 0xA002: 32, 0xA003: 24, 0x927C: bytes(40), 0x829A: 0.01}
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    xmp = b'<rdf:RDF tiff:Orientation="8"><xmp:Thumbnails>x</xmp:Thumbnails></rdf:RDF>'
    metadata = images.Metadata(exif=exif.tobytes(), icc=bytes(16) + b"RGB " + bytes(16) + b"acsp" + bytes(99), xmp=xmp)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{suffix}")
        images.write(images.to_float(torch.from_numpy(PIXELS).permute(2, 0, 1)), path, bits=bits, metadata=metadata)
        return path.read_bytes()


DEEP = {
    "png16": lambda: deep("png", 3),
    "png16 alpha": lambda: deep("png", 4),
    "png16 grey": lambda: deep("png", 2),
    "tiff16": lambda: deep("tif", 3),
    "tiff16 grey": lambda: deep("tif", 2),
}
DESCRIBED = {
    **{suffix: lambda suffix=suffix: described(suffix, 8) for suffix in ("jpg", "png", "webp", "tif")},
    "png 16": lambda: described("png", 16),
    "tif 16": lambda: described("tif", 16),
}


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    monkeypatch.setattr(formats, "MAX_PIXELS", FEW_PIXELS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", FEW_PIXELS)


@pytest.mark.parametrize("kind", KINDS)
def test_picture(attack, kind):
    whole = KINDS[kind]()
    images.decode(whole)

    def act(rng):
        data = bytes_mutated(whole, rng)
        outcome(lambda: images.decode(data, short_side_px=rng.choice((None, 8))), names="")

    attack(act)


@pytest.mark.parametrize("kind", GREY)
def test_stroke_map(attack, kind, tmp_path):
    whole, path = GREY[kind](), tmp_path / "map.png"

    def act(rng):
        path.write_bytes(bytes_mutated(whole, rng))
        outcome(lambda: read_map(path, black=0.5, white=2), names=path.name)
        outcome(lambda: images.size(path), names="")

    attack(act)


@pytest.mark.parametrize("kind", DEEP)
def test_picture_of_16_bits(attack, kind, tmp_path):
    whole, path = DEEP[kind](), tmp_path / "photo"
    path.write_bytes(whole)
    images.read(path)

    def act(rng):
        path.write_bytes(bytes_mutated(whole, rng))
        outcome(lambda: images.read(path), names="")

    attack(act)


@pytest.mark.parametrize("kind", DESCRIBED)
def test_metadata(attack, kind, tmp_path):
    """What is kept of a mutilated file can be written in every format, and those files can be read."""
    whole, path = DESCRIBED[kind](), tmp_path / "photo"
    path.write_bytes(whole)
    assert all(vars(images.read_metadata(path)).values())

    def act(rng):
        path.write_bytes(bytes_mutated(whole, rng))
        kept: list[images.Metadata] = []
        outcome(lambda: kept.append(images.read_metadata(path)), names="")
        for metadata in kept:
            for suffix, bits in (("jpg", 8), ("png", 8), ("webp", 8), ("tif", 8), ("png", 16)):
                images.write(torch.zeros(1, 3, 8, 9), tmp_path / f"a.{suffix}", metadata=metadata, bits=bits)
                assert (
                    images.size(tmp_path / f"a.{suffix}") == (8, 9) == images.read(tmp_path / f"a.{suffix}").shape[-2:]
                )

    attack(act)


@pytest.mark.parametrize("kind", [*KINDS, *DESCRIBED])
def test_the_header_tells_the_size_of_what_is_decoded(attack, kind, tmp_path):
    whole, path = (KINDS | DESCRIBED)[kind](), tmp_path / "photo"

    def act(rng):
        path.write_bytes(bytes_mutated(whole, rng))
        sizes: list[tuple[int, ...]] = []
        outcome(lambda: sizes.append(images.read_uint8(path).shape[-2:]), names="")
        if sizes:
            assert images.size(path) == sizes[0]

    attack(act)


@pytest.mark.parametrize("kind", ["exif", "png", "tiff"])
def test_painting(attack, kind, tmp_path):
    whole, path = KINDS[kind](), tmp_path / "painting.png"

    def act(rng):
        path.write_bytes(bytes_mutated(whole, rng))
        outcome(lambda: Painting.open(path, reference_px=32).render(1.0), names=path.name)

    attack(act)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF", "JPEG"])
def test_a_small_file_of_many_pixels_is_refused_by_its_header(kind, tmp_path: Path, monkeypatch):
    """One colour on 3,000 x 3,000 px, where 1 megapixel is allowed: refused without 27 MB of pixels."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    options = {"TIFF": {"compression": "tiff_deflate"}}.get(kind, {})
    Image.new("L", (3_000, 3_000)).save(tmp_path / "bomb", kind, **options)
    assert (tmp_path / "bomb").stat().st_size < 1_500_000
    data = (tmp_path / "bomb").read_bytes()
    refused = outcome(lambda: images.decode(data), names="3000 x 3000 pixels", most_mb=20)
    assert refused is not None
