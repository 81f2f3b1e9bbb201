"""images.py: every kind of picture arrives as upright RGB; broken ones say why."""

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, UserError

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
    whole = images._rgb(picture)
    monkeypatch.setattr(images, "_STRIP_PIXELS", 7 * picture.width)
    assert (images._rgb(picture) == whole).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGBA"])
def test_a_large_picture_is_not_copied_whole(mode, monkeypatch):
    picture = wide_and_transparent()[mode]
    monkeypatch.setattr(images, "_STRIP_PIXELS", 10 * picture.width)
    tracemalloc.start()
    images._rgb(picture)
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
    monkeypatch.setattr(images, "_STRIP_PIXELS", 32)
    assert torch.equal(images.read_grey(tmp_path / "a.png"), whole)
    torch.testing.assert_close(whole[0, 0], torch.from_numpy(RAMP.astype(np.float32) / 255))


def test_grey_level_that_is_not_finite_is_refused(tmp_path):
    Image.fromarray(np.array([[0.5, np.inf]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"^grey levels that are no finite numbers$"):
        images.read_grey(tmp_path / "a.tif")


@pytest.mark.parametrize(("orientation", "size"), [(1, (12, 16)), (3, (12, 16)), (5, (16, 12)), (8, (16, 12))])
def test_size_is_that_of_the_upright_picture_without_its_pixels(tmp_path, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(COLOUR), "JPEG", exif=exif)
    (tmp_path / "a.jpg").write_bytes(data[: data.index(b"\xff\xda") + 14])  # cut off where the pixels begin
    assert images.size(tmp_path / "a.jpg") == size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF"])
def test_size_reads_no_more_than_the_head_of_a_huge_file(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(encoded(Image.fromarray(COLOUR), kind))
    with path.open("r+b") as file:
        file.truncate(1 << 35)  # a hole: on the disk it is a block
    assert images.size(path) == (12, 16)


def test_a_huge_file_that_is_no_picture_is_not_read_whole(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(1 << 35)
    with pytest.raises(ImageError, match="not a picture, or of an unknown kind"):
        images.read(tmp_path / "a.jpg")


def test_size_of_what_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"notes")
    with pytest.raises(ImageError, match="not a picture, or of an unknown kind"):
        images.size(tmp_path / "a.jpg")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"picture not found: .*gone\.jpg"):
        images.read(tmp_path / "gone.jpg")
    with pytest.raises(UserError, match=r"picture cannot be read: .* \(Is a directory\)"):
        images.read(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_lossless_round_trip(tmp_path, suffix):
    image = images.to_float(torch.from_numpy(COLOUR).permute(2, 0, 1))[None]
    images.write(image, tmp_path / "made" / f"a{suffix}")
    assert torch.equal(images.read(tmp_path / "made" / f"a{suffix}"), image)
    assert [path.name for path in (tmp_path / "made").iterdir()] == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_round_trip(tmp_path, suffix):
    image = images.to_float(torch.from_numpy(COLOUR).permute(2, 0, 1))[None]
    images.write(image, tmp_path / f"a{suffix}")
    assert (images.read(tmp_path / f"a{suffix}") - image).abs().mean() < 0.03


def test_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"a\.xyz: the suffix must be one of \.jpg, .*\.png"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / "a.xyz")


def test_failed_write_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(BrushnetError, match=r"cannot write .*a\.png: Is a directory"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    (tmp_path / "file").touch()
    with pytest.raises(BrushnetError, match=r"cannot write .*file/a\.png: File exists"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / "file" / "a.png")


def test_a_link_of_the_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "of the user").write_bytes(b"kept")
    (tmp_path / f".a.png.{os.getpid()}.part").symlink_to(tmp_path / "of the user")
    images.write(torch.zeros(1, 3, 4, 4), tmp_path / "a.png")
    assert (tmp_path / "of the user").read_bytes() == b"kept"


def test_a_name_as_long_as_the_disk_allows_is_written_and_a_longer_one_costs_that_picture_only(tmp_path):
    image = torch.rand(1, 3, 2, 2)
    images.write(image, tmp_path / f"{'a' * 251}.png")
    with pytest.raises(ImageError, match=r"cannot write .*aaa\.png: File name too long"):
        images.write(image, tmp_path / f"{'a' * 252}.png")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


def test_bytes_survive_the_way_through_floats_and_what_lies_outside_is_clamped():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(images.to_uint8(images.to_float(every)), every)
    assert images.to_uint8(torch.tensor([-1.0, 2.0, 0.5 / 255 + 1e-4, 0.5 / 255 - 1e-4])).tolist() == [0, 255, 1, 0]


def test_resize_antialiases_and_keeps_type_and_leading_dimensions():
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    batch = board.to(torch.uint8).expand(2, 5, 3, 64, 64)
    small = images.resize(batch, 8, 9)
    assert small.shape == (2, 5, 3, 8, 9)
    assert small.dtype == torch.uint8
    assert (small.int() - 127).abs().max() <= 3  # without antialiasing it would be black and white
    floats = images.resize(images.to_float(batch), 8, 9)
    assert (images.to_uint8(floats).int() - small.int()).abs().max() <= 1


def test_resize_short_side_keeps_the_aspect_ratio():
    assert images.resize_short_side(torch.zeros(1, 3, 40, 80), 20).shape == (1, 3, 20, 40)
    assert images.resize_short_side(torch.zeros(3, 90, 30), 10).shape == (3, 30, 10)
    assert images.resize_short_side(torch.zeros(3, 1, 300), 1).shape == (3, 1, 300)


def test_list_images_is_recursive_sorted_and_blind_to_hidden_and_other_files(tmp_path):
    for name in ["b.JPG", "a.png", "sub/c.webp", ".hidden.jpg", ".git/d.jpg", "notes.txt", "sub/deep/e.tif"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in images.list_images(tmp_path)]
    assert found == ["a.png", "b.JPG", "sub/c.webp", "sub/deep/e.tif"]
    with pytest.raises(UserError, match=r"folder not found: .*nowhere"):
        images.list_images(tmp_path / "nowhere")


def flat(red: float, green: float, blue: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([red, green, blue]).reshape(1, 3, 1, 1).expand(1, 3, height, width)


def test_list_images_leaves_out_what_would_be_waited_for_and_keeps_links_to_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert [path.name for path in images.list_images(tmp_path)] == ["gone.jpg", "loop.jpg"]


def test_odd_metadata_gives_no_warning_that_names_no_file(tmp_path):
    # In a process of its own: pytest has filters of its own.
    (tmp_path / "a.tif").write_bytes(b"II*\x00\x08\x00\x00\x00\x02\x00" + bytes(10))
    code = f"from brushnet import images; images.size({str(tmp_path / 'a.tif')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImageError: " in done.stderr
    assert "Warning" not in done.stderr


def test_sheet_places_each_picture_whole_in_its_cell():
    red, green = flat(1, 0, 0, 30, 60), flat(0, 1, 0, 10, 5)
    grid = images.sheet([[red, None], [None, green]], cell_px=40, gap_px=4)
    assert grid.shape == (1, 3, 4 + 20 + 4 + 40 + 4, 4 + 40 + 4 + 20 + 4)
    is_red = (grid[0] - torch.tensor([1.0, 0, 0])[:, None, None]).abs().amax(0) < 0.01
    is_green = (grid[0] - torch.tensor([0, 1.0, 0])[:, None, None]).abs().amax(0) < 0.01
    assert is_red[4:24, 4:44].all()
    assert is_green[28:68, 48:68].all()
    assert (grid == 1).all(1).sum() == grid[0, 0].numel() - 20 * 40 - 40 * 20


def test_sheet_writes_its_labels_beside_and_above():
    white = flat(1, 1, 1, 40, 40)
    bare = images.sheet([[white]], cell_px=40)
    labelled = images.sheet([[white]], cell_px=40, row_labels=["a very long name"], column_labels=["s = 0.5"])
    assert labelled.shape[-1] > bare.shape[-1] + 60
    assert labelled.shape[-2] > bare.shape[-2] + 10
    assert bare.min() == 1
    assert labelled[..., :-46, -46:].min() < 0.5  # above the cell
    assert labelled[..., -46:, :-46].min() < 0.5  # left of it


def test_sheet_takes_rows_of_unequal_length():
    cell = flat(0, 0, 1, 8, 8)
    assert images.sheet([[cell], [cell, cell, cell]], cell_px=8, gap_px=1).shape == (1, 3, 19, 28)
