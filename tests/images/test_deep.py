"""16 bits a channel, in and out: every level survives, in colour, grey and with alpha, upright and not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.errors import ImageError, TooLargeError, UserError
from brushnet.images import deep, formats

pyvips = pytest.importorskip("pyvips")
RNG = np.random.default_rng(0)
LEVELS = RNG.integers(0, 65536, (21, 34, 4)).astype(np.uint16)
SAVERS = {"png": "pngsave_buffer", "tif": "tiffsave_buffer"}


def as_file(path, levels_HWC: np.ndarray, **options):
    """A file of uint16, written by libvips: not by what is tested."""
    height, width, bands = levels_HWC.shape
    picture = pyvips.Image.new_from_memory(np.ascontiguousarray(levels_HWC).tobytes(), width, height, bands, "ushort")
    picture = picture.copy(interpretation="rgb16" if bands > 2 else "grey16")
    orientation = options.pop("orientation", None)
    if orientation:
        picture.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    path.write_bytes(getattr(picture, SAVERS[path.suffix[1:]])(**options))
    return path


def levels(image_13HW: torch.Tensor) -> np.ndarray:
    """(H, W, 3)"""
    return np.rint(image_13HW[0].permute(1, 2, 0).double().numpy() * 65535).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colour_of_16_bits_arrives_with_every_level(tmp_path, suffix):
    path = as_file(tmp_path / f"a.{suffix}", LEVELS[..., :3])
    assert images.header(path).bits == 16
    image = images.read(path)
    assert (image.shape, image.dtype) == ((1, 3, 21, 34), torch.float32)
    assert (levels(image) == LEVELS[..., :3]).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_is_three_equal_channels(tmp_path, suffix):
    image = images.read(as_file(tmp_path / f"a.{suffix}", LEVELS[..., :1]))
    assert (levels(image) == LEVELS[..., :1]).all()


@pytest.mark.parametrize("bands", [2, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_transparency_of_16_bits_lies_over_white(tmp_path, suffix, bands):
    stored = LEVELS[..., :bands].copy()
    stored[:5, :, -1], stored[5:9, :, -1] = 0, 65535
    found = levels(images.read(as_file(tmp_path / f"a.{suffix}", stored)))
    alpha = stored[..., -1:] / 65535
    wanted = stored[..., : 1 if bands == 2 else 3] * alpha + 65535 * (1 - alpha)
    assert abs(found.astype(float) - wanted).max() <= 1
    assert (found[:5] == 65535).all()
    assert (found[5:9] == stored[5:9, :, :-1]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bits_lie_upright_as_8_do(tmp_path, orientation):
    path = as_file(tmp_path / "a.tif", LEVELS[..., :3], orientation=orientation)
    deep_HW3 = levels(images.read(path))
    flat_HW3 = images.read_uint8(path).permute(1, 2, 0).numpy()
    assert deep_HW3.shape[:2] == images.size(path)
    assert (deep_HW3 >> 8 == flat_HW3).all()  # of 16 bits Pillow takes the upper 8


def test_strips_give_the_pixels_of_the_whole(tmp_path, monkeypatch):
    path = as_file(tmp_path / "a.png", LEVELS)
    whole = images.read(path)
    monkeypatch.setattr(deep, "_STRIP_PIXELS", 100)
    assert torch.equal(images.read(path), whole)


@pytest.mark.parametrize("suffix", ["png", "PNG", "tif", "tiff"])
@pytest.mark.parametrize("size", [(1, 1), (21, 34), (700, 301)])
def test_16_bits_survive_writing_and_are_read_by_others(tmp_path, suffix, size):
    stored = RNG.integers(0, 65536, (*size, 3)).astype(np.uint16)
    image = torch.from_numpy(stored.astype(np.float32) / 65535).permute(2, 0, 1)[None]
    path = tmp_path / f"a.{suffix}"
    images.write(image, path, bits=16)
    loader = pyvips.Image.pngload_buffer if suffix.lower() == "png" else pyvips.Image.tiffload_buffer
    assert (loader(path.read_bytes()).numpy() == stored).all()
    assert (levels(images.read(path)) == stored).all()
    with Image.open(path) as picture:
        assert (np.asarray(picture) == stored >> 8).all()


def test_a_smooth_picture_of_16_bits_is_compressed(tmp_path):
    ramp = torch.linspace(0, 1, 300).expand(1, 3, 200, 300)
    for name in ("a.png", "a.tif"):
        images.write(ramp, tmp_path / name, bits=16)
        assert (tmp_path / name).stat().st_size < 0.1 * 300 * 200 * 6


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_formats_of_8_bits_refuse_16(tmp_path, name):
    with pytest.raises(UserError, match=r"a\.\w+: 16 bits a channel; allowed are 8, and 16 in PNG and TIFF"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / name, bits=16)


def test_without_libvips_16_bits_are_read_as_8(tmp_path, monkeypatch):
    path = as_file(tmp_path / "a.png", LEVELS[..., :3])
    monkeypatch.setattr(deep, "readable", lambda: False)
    assert torch.equal(images.read(path), images.to_float(images.read_uint8(path))[None])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_what_is_cut_off_says_so(tmp_path, suffix):
    path = as_file(tmp_path / f"a.{suffix}", np.tile(LEVELS[..., :3], (9, 9, 1)))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ImageError):
        images.read(path)


def test_16_bits_of_too_many_pixels_are_refused_by_the_header(tmp_path, monkeypatch):
    path = as_file(tmp_path / "a.png", LEVELS[..., :3])
    monkeypatch.setattr(formats, "MAX_PIXELS", 21 * 34 - 1)
    with pytest.raises(TooLargeError, match=r"34 x 21 pixels: more than"):
        images.read(path)
    with path.open("rb") as file, pytest.raises(TooLargeError, match=r"34 x 21 pixels are too many"):
        deep.read(file, "PNG")  # to whom the header may say something else
    assert images.size(path) == (21, 34)  # to know how large it is harms nobody


def test_other_loaders_of_libvips_are_never_asked(tmp_path):
    """A drawing under a PNG's name, which libvips by itself would take to its reader of SVG."""
    path = tmp_path / "a.png"
    path.write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    with pytest.raises(ImageError, match="not a picture, or of an unknown kind"):
        images.read(path)
    with io.BytesIO(path.read_bytes()), path.open("rb") as file, pytest.raises(ImageError, match="broken picture"):
        deep.read(file, "PNG")
