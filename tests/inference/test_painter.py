"""One photo from file to file: what of it is kept beside its pixels, and what is refused before it is painted."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from brushnet import images
from brushnet.errors import UserError
from brushnet.images import deep
from brushnet.inference.stylize import stylize_files

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def described(path, save_photo):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8825] = 6, "Camera", {1: "N", 2: (48.0, 51.0, 30.0)}
    return save_photo(path, exif=exif, icc_profile=PROFILE)


@pytest.fixture
def deep_photo(tmp_path):
    levels = np.random.default_rng(0).integers(0, 65536, (24, 33, 3)).astype(np.float32) / 65535
    images.write(torch.from_numpy(levels).permute(2, 0, 1), tmp_path / "deep.png", bits=16)
    return tmp_path / "deep.png"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_and_profile_come_with_the_painting(tmp_path, model, save_photo, suffix):
    stylize_files(model, [described(tmp_path / "a.jpg", save_photo)], tmp_path / f"b.{suffix}")
    with Image.open(tmp_path / f"b.{suffix}") as picture:
        exif = picture.getexif()
        assert (exif[0x0112], exif[0x010F], exif.get_ifd(0x8825)[1]) == (1, "Camera", "N")
        assert picture.info["icc_profile"] == PROFILE
        assert picture.size == (21, 30)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_strip_metadata_leaves_nothing_of_place_camera_or_profile(tmp_path, model, save_photo, suffix):
    photo = described(tmp_path / "a.jpg", save_photo)
    stylize_files(model, [photo], tmp_path / f"b.{suffix}", strip_metadata=True)
    assert images.read_metadata(tmp_path / f"b.{suffix}") == images.NOTHING
    assert b"Camera" not in (tmp_path / f"b.{suffix}").read_bytes()


def test_a_photo_of_16_bits_is_painted_from_them_into_them(tmp_path, model, deep_photo):
    stylize_files(model, [deep_photo], tmp_path / "b.tif")
    painted = model(images.read(deep_photo))
    assert images.header(tmp_path / "b.tif").bits == 16
    assert (images.read(tmp_path / "b.tif") - painted).abs().max() <= 0.5 / 65535 + 1e-7
    flat = model(images.to_float(images.read_uint8(deep_photo))[None])
    assert not torch.equal(painted, flat)


@pytest.mark.parametrize(
    ("name", "bits", "expected"),
    [("b.png", None, 16), ("b.png", 8, 8), ("b.png", 16, 16), ("b.jpg", None, 8), ("b.webp", 8, 8)],
)
def test_bits_are_the_photo_s_unless_asked_for(tmp_path, model, deep_photo, name, bits, expected):
    stylize_files(model, [deep_photo], tmp_path / name, bits=bits)
    assert images.header(tmp_path / name).bits == expected


def test_8_bits_become_16_where_asked_for_and_in_a_folder_only_where_the_format_can(tmp_path, model, save_photo):
    photos = [save_photo(tmp_path / name) for name in ("a.png", "b.jpg")]
    stylize_files(model, photos, tmp_path / "out", bits=16)
    assert [images.header(tmp_path / "out" / name).bits for name in ("a.png", "b.jpg")] == [16, 8]


def test_without_libvips_16_bits_are_read_as_8_which_is_said_once(tmp_path, model, deep_photo, monkeypatch, caplog):
    monkeypatch.setattr(deep, "readable", lambda: False)
    second = tmp_path / "second.png"
    second.write_bytes(deep_photo.read_bytes())
    stylize_files(model, [deep_photo, second], tmp_path / "out", jobs=1)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [
        f"{deep_photo}: 16 bits a channel are read as 8; pip install 'brushnet[large]' keeps them",
    ]


@pytest.mark.parametrize(
    ("options", "out", "message"),
    [
        ({"bits": 16}, "b.jpg", r"^--bits 16 needs PNG or TIFF, got \.jpg$"),
        ({"bits": 16, "picture_format": "webp"}, "out", r"^--bits 16 needs PNG or TIFF, got \.webp$"),
        ({"bits": 12}, "out", r"^--bits must be auto, 8 or 16, got 12$"),
        ({"picture_format": "gif"}, "out", r"^--format must be one of jpg, png, webp, tiff, got gif$"),
        ({"picture_format": "png"}, "b.jpg", r"^--format png and -o \S*b\.jpg are two formats; leave one out$"),
        ({"jobs": 0}, "out", r"^--jobs must be auto or a whole number above 0, got 0$"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_is_written(
    tmp_path, model, save_photo, options, out, message
):
    with pytest.raises(UserError, match=message):
        stylize_files(model, [save_photo(tmp_path / "a.jpg")], tmp_path / out, **options)
    assert not (tmp_path / out).exists()


def test_one_format_for_a_folder(tmp_path, model, save_photo):
    for name in ("a.jpg", "deep/b.bmp", "deep/c.webp"):
        save_photo(tmp_path / "photos" / name)
    stylize_files(model, [tmp_path / "photos"], tmp_path / "out", picture_format="tiff")
    found = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path / "out").as_posix() for path in found] == ["a.tif", "deep/b.tif", "deep/c.tif"]
    assert {images.header(path).kind for path in found} == {"TIFF"}


def test_what_its_format_cannot_hold_is_not_painted_first(tmp_path, model, save_photo, monkeypatch):
    monkeypatch.setattr(model.net, "forward", lambda *_: pytest.fail("painted"))
    report = stylize_files(model, [save_photo(tmp_path / "a.png", (16_400, 1))], tmp_path / "b.webp")
    assert report.failed[0][1] == "16400 x 1 px cannot be written as WEBP: at most 16383 px a side"
