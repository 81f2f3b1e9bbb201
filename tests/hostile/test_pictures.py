"""Pictures of every format, as photos and as stroke maps."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brushnet import images
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


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", FEW_PIXELS)
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
