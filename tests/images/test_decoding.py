"""Every kind of picture arrives as upright RGB; broken ones say why."""

import io
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from brushnet import images
from brushnet.errors import ImageError, UserError
from brushnet.images import decoding

RAMP = np.linspace(0, 255, 12 * 16).round().astype(np.uint8).reshape(12, 16)
COLOUR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=-1)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(picture: Image.Image, kind: str, **options) -> np.ndarray:
    """(H, W, 3)"""
    pixels = images.decode(encoded(picture, kind, **options))
    assert pixels.dtype == torch.uint8
    return pixels.permute(1, 2, 0).numpy()


def grey3(values_HW: np.ndarray) -> np.ndarray:
    return np.repeat(values_HW[..., None], 3, axis=2)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_colour_arrives_unchanged(kind):
    assert (decoded(Image.fromarray(COLOUR), kind) == COLOUR).all()


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 98, "subsampling": 0}), ("WEBP", {"quality": 98})])
def test_lossy_colour_arrives_nearly_unchanged(kind, options):
    difference = decoded(Image.fromarray(COLOUR), kind, **options).astype(int) - COLOUR
    assert abs(difference).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_greyscale_becomes_three_equal_channels(kind):
    assert (decoded(Image.fromarray(RAMP), kind) == grey3(RAMP)).all()


def test_black_and_white_becomes_black_and_white():
    assert (decoded(Image.fromarray(RAMP > 99), "PNG") == grey3((RAMP > 99) * np.uint8(255))).all()


def test_16_bit_grey_keeps_its_brightness():
    wide = RAMP.astype(np.uint16) * 257
    assert (decoded(Image.fromarray(wide), "PNG") == grey3(RAMP)).all()
    assert (decoded(Image.fromarray(wide), "TIFF") == grey3(RAMP)).all()


def test_dark_16_bit_grey_stays_dark():
    assert decoded(Image.fromarray(RAMP.astype(np.uint16)), "PNG").max() == 1


def test_16_bit_colour_png_keeps_its_brightness():
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in COLOUR)
    header = struct.pack(">IIBBBBB", 16, 12, 16, 2, 0, 0, 0)
    data = png(header, [(b"IDAT", zlib.compress(rows))])
    assert (images.decode(data).permute(1, 2, 0).numpy() == COLOUR).all()


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_float_tiff_is_scaled_by_what_it_holds(top):
    floats = RAMP.astype(np.float32) / 255 * top
    floats[0, 0] = np.nan
    assert (decoded(Image.fromarray(floats), "TIFF") == grey3(RAMP)).all()


def test_a_nan_of_the_kind_that_signals_is_no_warning():
    floats = RAMP.astype(np.float32)
    floats.view(np.uint32)[0, 0] = 0x7F800001
    assert (decoded(Image.fromarray(floats), "TIFF") == grey3(RAMP)).all()


def wide_and_transparent():
    ramp = np.resize(RAMP, (600, 500))
    alpha = np.dstack([ramp, ramp[::-1], ramp, ramp])
    palette = Image.fromarray(ramp).convert("P")
    palette.info["transparency"] = 0
    return {"I;16": Image.fromarray(ramp.astype(np.uint16) * 257), "I": Image.fromarray(ramp.astype(np.int32) * 300),
            "F": Image.fromarray(ramp.astype(np.float32)), "RGBA": Image.fromarray(alpha), "P": palette,
            "CMYK": Image.fromarray(alpha[..., :3]).convert("CMYK")}  # fmt: skip


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGBA", "P", "CMYK"])
def test_strips_give_the_pixels_of_the_whole(mode, monkeypatch):
    picture = wide_and_transparent()[mode]
    whole = decoding._rgb(picture)
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", 7 * picture.width)
    assert (decoding._rgb(picture) == whole).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGBA"])
def test_a_large_picture_is_not_copied_whole(mode, monkeypatch):
    picture = wide_and_transparent()[mode]
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", 10 * picture.width)
    tracemalloc.start()
    decoding._rgb(picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * picture.width * picture.height  # bytes; 3 are the result


def test_transparency_is_laid_over_white():
    alpha = np.zeros_like(RAMP)
    alpha[:, 8:] = 255
    pixels = decoded(Image.fromarray(np.dstack([COLOUR, alpha])), "PNG")
    assert (pixels[:, :8] == 255).all()
    assert (pixels[:, 8:] == COLOUR[:, 8:]).all()


def test_half_transparent_grey_is_half_white():
    pixels = decoded(Image.merge("LA", [Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 128)]), "PNG")
    assert (abs(pixels.astype(int) - 127) <= 1).all()


def test_palette_with_a_transparent_colour_shows_white_there():
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([255, 0, 0, 0, 0, 200])
    picture.putpixel((2, 0), 0)
    pixels = decoded(picture, "PNG", transparency=0)
    assert pixels[0, 2].tolist() == [255, 255, 255]
    assert pixels[0, 0].tolist() == [0, 0, 200]


def test_cmyk_jpeg_and_tiff_show_the_right_colours():
    picture = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red ink
    assert abs(decoded(picture, "JPEG", quality=95)[8, 8].astype(int) - [255, 0, 0]).max() <= 3
    assert decoded(picture, "TIFF")[8, 8].tolist() == [255, 0, 0]


def test_colour_profile_does_not_disturb():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (decoded(Image.fromarray(COLOUR), "PNG", icc_profile=profile) == COLOUR).all()


def test_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    assert decoded(frames[0], "GIF", save_all=True, append_images=frames[1:])[2, 2].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_sets_the_picture_upright(kind, orientation):
    # How a camera held that way stores COLOUR, from the EXIF standard: rows and columns of the stored picture.
    stored = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR, 1),
        7: COLOUR[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(COLOUR, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (decoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif) == COLOUR).all()


def test_rotated_jpeg_is_set_upright_also_when_decoded_small():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("RGB", (400, 200)), "JPEG", exif=exif)
    assert images.decode(data).shape == (3, 400, 200)
    assert images.decode(data, short_side_px=50).shape == (3, 100, 50)


def test_broken_exif_does_not_cost_the_picture():
    whole = encoded(Image.fromarray(COLOUR), "JPEG")
    exif = b"Exif\0\0" + b"MM\0*" + b"\xff" * 4
    data = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.equal(images.decode(data), images.decode(whole))


def test_large_jpeg_may_be_decoded_small_but_never_smaller_than_asked():
    smooth = Image.fromarray(COLOUR).resize((1000, 800), Image.Resampling.BICUBIC)
    data = encoded(smooth, "JPEG", quality=95)
    small = images.decode(data, short_side_px=150)
    assert small.shape == (3, 200, 250)
    whole = images.resize(images.decode(data), 200, 250)
    assert (small.float() - whole.float()).abs().mean() < 2
    assert images.decode(data, short_side_px=500).shape == (3, 800, 1000)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a picture"),
        (b"<html>404</html>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (encoded(Image.fromarray(COLOUR).resize((200, 200)), "JPEG")[:-60], "broken picture: .*truncated"),
        (encoded(Image.fromarray(COLOUR), "PNG")[:60], "broken picture"),
    ],
)
def test_what_is_broken_says_why(data, message):
    with pytest.raises(ImageError, match=message):
        images.decode(data)


def png(header: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("side", [14_200, 60_000])
@pytest.mark.parametrize("action", ["error", "ignore"])  # Pillow warns at one size and raises at the other
def test_pixel_bomb_is_refused_by_its_header(side, action):
    bomb = png(struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), [(b"IDAT", zlib.compress(b"\0" * 99))])
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(ImageError, match="more than 200 megapixels"):
            images.decode(bomb)


def test_read_gives_floats_and_read_uint8_bytes(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    image = images.read(tmp_path / "a.png")
    assert image.shape == (1, 3, 12, 16)
    assert image.dtype == torch.float32
    assert torch.equal(images.to_uint8(image)[0], images.read_uint8(tmp_path / "a.png"))


def test_grey_levels_keep_their_16_bits_and_lie_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = np.array([[0, 1, 65535], [300, 40_000, 2]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png", exif=exif)
    expected = torch.from_numpy(np.rot90(levels, -1).astype(np.float32) / 65535)[None, None]
    torch.testing.assert_close(images.read_grey(tmp_path / "a.png"), expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA"])
def test_grey_levels_in_strips_are_those_of_the_whole(tmp_path, mode, monkeypatch):
    picture = Image.fromarray(RAMP.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RAMP).convert(mode)
    picture.save(tmp_path / "a.png")
    whole = images.read_grey(tmp_path / "a.png")
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", 32)
    assert torch.equal(images.read_grey(tmp_path / "a.png"), whole)
    torch.testing.assert_close(whole[0, 0], torch.from_numpy(RAMP.astype(np.float32) / 255))


def test_grey_level_that_is_not_finite_is_refused(tmp_path):
    Image.fromarray(np.array([[0.5, np.inf]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"^grey levels that are no finite numbers$"):
        images.read_grey(tmp_path / "a.tif")


def test_a_huge_file_that_is_no_picture_is_not_read_whole(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(1 << 35)
    with pytest.raises(ImageError, match="not a picture, or of an unknown kind"):
        images.read(tmp_path / "a.jpg")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"picture not found: .*gone\.jpg"):
        images.read(tmp_path / "gone.jpg")
    with pytest.raises(UserError, match=r"picture cannot be read: .* \(Is a directory\)"):
        images.read(tmp_path)
