"""Photos streamed in beside the same photos decoded whole."""

import logging
import re

import numpy as np
import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.images import deep
from brushnet.inference.large import photo
from brushnet.inference.large.photo import read_photo
from brushnet.inference.large.spills import Spills, check_disk

pyvips = pytest.importorskip("pyvips")


@pytest.fixture
def files(tmp_path) -> Spills:
    """Nothing in memory, so that everything is streamed."""
    return Spills(memory_bytes=0, folder=tmp_path, device=torch.device("cpu"))


def picture(mode: str = "RGB", size: tuple[int, int] = (31, 22)) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 3, size[0] // 3, 4), np.uint8)
    smooth = Image.fromarray(noise, "RGBA").resize(size, Image.Resampling.BICUBIC)
    if mode in ("RGBA", "LA"):
        return smooth.convert(mode)
    return smooth.convert("RGB").convert(mode)


def read(path, spills: Spills) -> torch.Tensor:
    spill = read_photo(path, spills)
    return spill.read(0, spill.height)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("strip_px", [1, 1 << 21])
@pytest.mark.parametrize("memory_bytes", [0, 8000])
def test_upright_whichever_way_it_was_held(files, tmp_path, monkeypatch, orientation, strip_px, memory_bytes):
    monkeypatch.setattr(photo, "_STRIP_PIXELS", strip_px)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(size=(31, 47)).save(tmp_path / "photo.png", exif=exif)
    files.memory_bytes = memory_bytes if memory_bytes == 0 else 31 * 47 * 3
    streamed = read(tmp_path / "photo.png", files)
    assert torch.equal(streamed, images.read(tmp_path / "photo.png"))


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_every_kind_of_pixels_is_read_as_pillow_reads_it(files, tmp_path, monkeypatch, mode, suffix):
    monkeypatch.setattr(photo, "_WHOLE_BYTES", {"WEBP": 0})
    path = tmp_path / f"photo{suffix}"
    if suffix == ".tif" and mode in ("LA", "P"):
        pytest.skip("libvips reads no such TIFF of Pillow's")
    picture(mode).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    off = (read(path, files) - images.read(path)).abs().max()
    assert off <= 1 / 255 + 1e-6


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_and_its_inks(files, tmp_path, mode):
    picture(mode, (60, 50)).save(tmp_path / "photo.jpg", quality=95)
    assert (read(tmp_path / "photo.jpg", files) - images.read(tmp_path / "photo.jpg")).abs().max() < 3 / 255


def test_sixteen_bits_stay(files, tmp_path):
    images.write(torch.rand(1, 3, 20, 30), tmp_path / "photo.png", bits=16)
    spill = read_photo(tmp_path / "photo.png", files)
    assert spill.dtype == torch.uint16
    torch.testing.assert_close(spill.read(3, 9), images.read(tmp_path / "photo.png")[:, :, 3:9], atol=1e-6, rtol=0)


def test_what_is_broken_or_cut_off(files, tmp_path):
    path = tmp_path / "photo.jpg"
    picture(size=(600, 500)).save(path, quality=95)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ImageError, match=r"broken picture: \S"):
        read_photo(path, files)
    with pytest.raises(UserError, match=r"picture not found: .*nothing\.jpg"):
        read_photo(tmp_path / "nothing.jpg", files)


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [("photo.jpg", {"progressive": True}, "interlaced JPEG"), ("photo.webp", {}, "WEBP")],
)
def test_what_can_only_be_read_whole_is_refused_where_it_does_not_fit(files, tmp_path, name, options, kind):
    picture(size=(64, 48)).save(tmp_path / name, **options)
    with pytest.raises(ImageError, match=rf"64 x 48 pixels as {kind} can only be read whole, .*save it as TIFF"):
        read_photo(tmp_path / name, files)


def test_without_libvips_it_is_said_what_to_install(files, tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "libvips", lambda: None)
    picture().save(tmp_path / "photo.png")
    with pytest.raises(ImageError, match=r"31 x 22 pixels do not fit .* pip install 'brushnet\[large\]' reads them"):
        read_photo(tmp_path / "photo.png", files)
    files.memory_bytes = 10**8
    assert torch.equal(read(tmp_path / "photo.png", files), images.read(tmp_path / "photo.png"))


def test_temporary_files_have_no_name_and_give_back_their_place(files, tmp_path):
    spill = files.empty(3, 40, 50, dtype=torch.float32)
    spill.write(10, torch.ones(1, 3, 5, 50))
    spill.write(39, torch.ones(1, 3, 1, 50))
    assert spill.read(9, 16).mean(dim=(0, 1, 3)).tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert list(tmp_path.iterdir()) == []
    files.memory_bytes = 40 * 50 * 3
    held = files.empty(3, 40, 50, dtype=torch.uint8)
    assert files.memory_bytes == 0
    del held
    assert files.memory_bytes == 40 * 50 * 3


def test_a_disk_without_room_is_told_with_figures(tmp_path):
    with pytest.raises(BrushnetError, match=r"GB free, temporary files need 9000000000\.0 GB; set TMPDIR to a folder"):
        check_disk(tmp_path, 9 * 10**18)


def test_libvips_tells_nobody_of_its_threads():
    pytest.importorskip("pyvips")
    deep.libvips()
    assert not logging.getLogger("pyvips").isEnabledFor(logging.INFO)


def test_pixels_that_are_only_read_in_smaller_pictures_are_named(tmp_path, files):
    Image.fromarray(np.ones((22, 31), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"pixels of b-w as float are only read in smaller pictures"):
        read_photo(tmp_path / "a.tif", files)


class TestTemporaryFiles:
    @pytest.fixture
    def place(self, files):
        return files.empty(3, 8, 8, dtype=torch.uint8)

    def test_one_that_has_become_shorter_is_said(self, place, tmp_path):
        place.write_levels(0, np.zeros((4, 8, 3), np.uint8))
        message = rf"a temporary file in {re.escape(str(tmp_path))} has become shorter; was the disk full\?"
        with pytest.raises(BrushnetError, match=message):
            place.read(2, 6)

    def test_a_full_disk_is_said(self, place, tmp_path):
        place.file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115
        message = rf"cannot write a temporary file in {re.escape(str(tmp_path))}: No space left on device"
        with place.file, pytest.raises(BrushnetError, match=message):
            place.write_levels(0, np.zeros((4, 8, 3), np.uint8))
