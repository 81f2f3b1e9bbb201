"""What is told of a file without its pixels."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from brushnet import images
from brushnet.errors import ImageError

RAMP = np.linspace(0, 255, 12 * 16).round().astype(np.uint8).reshape(12, 16)
COLOUR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=-1)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("orientation", "size"), [(1, (12, 16)), (3, (12, 16)), (5, (16, 12)), (8, (16, 12))])
def test_size_is_that_of_the_upright_picture_without_its_pixels(tmp_path, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(COLOUR), "JPEG", exif=exif)
    (tmp_path / "a.jpg").write_bytes(data[: data.index(b"\xff\xda") + 14])  # cut off where the pixels begin
    assert images.size(tmp_path / "a.jpg") == size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_size_reads_no_more_than_the_head_of_a_huge_file(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(encoded(Image.fromarray(COLOUR), kind))
    with path.open("r+b") as file:
        file.truncate(1 << 35)  # a hole: on the disk it is a block
    assert images.size(path) == (12, 16)


def test_size_of_what_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"notes")
    with pytest.raises(ImageError, match="not a picture, or of an unknown kind"):
        images.size(tmp_path / "a.jpg")


def test_odd_metadata_gives_no_warning_that_names_no_file(tmp_path):
    # In a process of its own: pytest has filters of its own.
    (tmp_path / "a.tif").write_bytes(b"II*\x00\x08\x00\x00\x00\x02\x00" + bytes(10))
    code = f"from brushnet import images; images.size({str(tmp_path / 'a.tif')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImageError: " in done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("RGB", {"lossless": True}), ("RGBA", {}), ("RGBA", {"lossless": True}), ("RGB", {"exif": b"II*\0"})],
)
def test_size_of_every_kind_of_webp(tmp_path, mode, options):
    Image.new(mode, (1234, 987), (9, 8, 7) + (5,) * (mode == "RGBA")).save(tmp_path / "a.webp", **options)
    assert images.header(tmp_path / "a.webp") == images.Header("WEBP", 987, 1234, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP", "JPEG"])
def test_size_is_that_of_the_decoded_picture(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "a").write_bytes(encoded(Image.fromarray(COLOUR), kind, exif=exif))
    assert images.size(tmp_path / "a") == images.read_uint8(tmp_path / "a").shape[-2:]


def test_a_webp_of_gigabytes_is_not_read_for_its_size(tmp_path):
    """Its EXIF stands behind the pixels, which are stepped over."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(COLOUR), "WEBP", exif=exif)
    start = data.index(b"VP8 ")
    length, end = struct.unpack_from("<I", data, start + 4)[0], data.index(b"EXIF")
    hole = 1 << 31
    with (tmp_path / "a.webp").open("wb") as file:
        file.write(data[: start + 4] + struct.pack("<I", length + hole) + data[start + 8 : end])
        file.seek(hole, 1)
        file.write(data[end:])
    assert images.size(tmp_path / "a.webp") == (16, 12)
