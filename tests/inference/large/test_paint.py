"""Photos painted in bands from file to file beside the same photos painted whole."""

import json
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.inference.finish import finish
from brushnet.inference.large import encoding, paint, photo
from brushnet.inference.large.paint import LargePainter, Output
from brushnet.inference.resolution import paint_per_side, sizing

pyvips = pytest.importorskip("pyvips")

ROOM = 10**9  # beyond what the test process has taken


@pytest.fixture
def in_bands(monkeypatch):
    """However small the picture is: small bands, nothing in memory, libvips for reading and writing."""
    budget = paint._Budget(ROOM, 0, 6e5, 0)
    monkeypatch.setattr(paint._Budget, "of", classmethod(lambda cls, most, device: budget))


def photo_file(path, size=(97, 130), *, mode="RGB", orientation=None, **options):
    noise = np.random.default_rng(0).integers(0, 256, (*(side // 9 + 2 for side in size), 3), np.uint8)
    picture = Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC)
    if orientation:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "camera"
        options["exif"] = exif
    if "A" in mode:
        picture.putalpha(Image.linear_gradient("L").resize(size[::-1]))
    picture.convert(mode).save(path, **options)
    return path


def levels(path):
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("in_bands")
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_file_is_painted_as_it_is_whole(model, tmp_path, scale, suffix):
    source = photo_file(tmp_path / "photo.jpg", orientation=6)
    out = tmp_path / f"out{suffix}"
    LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(out, scale)])
    expected = images.to_uint8(model(images.read(source), scale)[0]).permute(1, 2, 0).numpy()
    assert expected.shape == (130, 97, 3)
    assert np.abs(levels(out) - expected).max() <= 1
    assert left_in(tmp_path) == sorted([out.name, "photo.jpg"])


@pytest.mark.usefixtures("in_bands")
@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_are_as_good_as_those_of_small_pictures(model, tmp_path, suffix):
    source = photo_file(tmp_path / "photo.png")
    LargePainter(model, max_memory_bytes=ROOM, quality=90).paint(source, [Output(tmp_path / f"out{suffix}", 1.0)])
    painted = model(images.read(source), 1.0)
    images.write(painted, tmp_path / f"small{suffix}", quality=90)
    exact = images.to_uint8(painted[0]).permute(1, 2, 0).numpy().astype(int)
    off, off_small = (np.abs(levels(tmp_path / f"{name}{suffix}") - exact).mean() for name in ("out", "small"))
    assert off < 1.1 * off_small + 0.1


@pytest.mark.usefixtures("in_bands")
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 1.4])
@pytest.mark.parametrize("colour", [None, "luminance", "histogram"])
def test_finishing_in_bands(model, tmp_path, strength, colour):
    source, out = photo_file(tmp_path / "photo.png"), tmp_path / "out.png"
    painter = LargePainter(model, max_memory_bytes=ROOM, strength=strength, preserve_colour=colour)
    painter.paint(source, [Output(out, 1.0)])
    photo_13HW = images.read(source)
    whole = finish(photo_13HW, model(photo_13HW, 1.0), strength=strength, preserve_colour=colour)
    assert np.abs(levels(out) - images.to_uint8(whole[0]).permute(1, 2, 0).numpy()).max() <= 1


@pytest.mark.usefixtures("in_bands")
def test_a_map_a_mixture_and_several_outputs(make_model, tmp_path):
    model = make_model(styles=2)
    mix = {"painting-0": 0.3, "painting-1": 0.7}
    source = photo_file(tmp_path / "photo.png")
    strokes = torch.linspace(0.5, 2, 13).view(1, 1, 1, 13).expand(1, 1, 10, 13)
    written, shares = [], []
    LargePainter(model, max_memory_bytes=ROOM, style=mix).paint(
        source,
        [Output(tmp_path / "a.png", strokes), Output(tmp_path / "b.png", 2.0)],
        wrote=written.append,
        progress=shares.append,
    )
    assert written == [tmp_path / "a.png", tmp_path / "b.png"]
    assert shares.count(pytest.approx(1)) >= 2
    assert 0 < min(shares) <= max(shares) <= 1
    for path, stroke in (("a.png", strokes), ("b.png", 2.0)):
        expected = images.to_uint8(model(images.read(source), stroke, style=mix)[0]).permute(1, 2, 0).numpy()
        assert np.abs(levels(tmp_path / path) - expected).max() <= 1


@pytest.mark.usefixtures("in_bands")
@pytest.mark.parametrize("mode", ["mixed", "fixed"])
def test_models_that_are_not_told(make_model, tmp_path, mode):
    model = make_model(mode=mode, low=1.2 if mode == "fixed" else 0.5, high=1.2 if mode == "fixed" else 2.0)
    source = photo_file(tmp_path / "photo.png")
    LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(tmp_path / "out.png", model.default_stroke)])
    expected = images.to_uint8(model(images.read(source))[0]).permute(1, 2, 0).numpy()
    assert np.abs(levels(tmp_path / "out.png") - expected).max() <= 1


@pytest.mark.usefixtures("in_bands")
@pytest.mark.parametrize("per_side", [0.3, 1.2, 3.0, 5.0, 8.0])
def test_strokes_relative_to_the_side_where_the_photo_is_painted_at_another_size(model, tmp_path, per_side):
    source, out = photo_file(tmp_path / "photo.png", (200, 260)), tmp_path / "out.png"
    size = sizing(model, (200, 260), per_side)
    assert (size.painted_px == 200) == (per_side == 1.2)
    LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(out, size.stroke, short_px=size.painted_px)])
    whole = images.to_uint8(paint_per_side(model, images.read(source), per_side)[0]).permute(1, 2, 0).numpy()
    assert np.abs(levels(out) - whole).max() <= 1


@pytest.mark.usefixtures("in_bands")
def test_sixteen_bits_and_metadata_stay(model, tmp_path):
    noise = np.random.default_rng(0).random((60, 70, 3), np.float32)
    smooth = torch.from_numpy(noise).permute(2, 0, 1)[None]
    source = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[0x010F] = "camera"
    metadata = images.Metadata(exif=exif.tobytes())
    images.write(smooth, source, bits=16, metadata=metadata)
    for name in ("out.png", "out.tif"):
        out = tmp_path / name
        LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(out, 1.0, bits=16)], metadata=metadata)
        assert images.header(out).bits == 16
        assert (images.read(out) - model(images.read(source), 1.0)).abs().max() < 1e-4
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.getexif()[0x010F] == "camera"


@pytest.mark.usefixtures("in_bands")
def test_what_ends_the_work_leaves_nothing_behind(model, tmp_path):
    class EnoughError(Exception):
        pass

    source = photo_file(tmp_path / "photo.png")
    for share in (0.1, 0.5, 0.97):

        def stop(done, share=share):
            if done > share:
                raise EnoughError

        with pytest.raises(EnoughError):
            LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(tmp_path / "o.png", 1.0)], progress=stop)
        assert left_in(tmp_path) == ["photo.png"]
        assert threading.active_count() == 1 or not [t for t in threading.enumerate() if "_encode" in t.name]


@pytest.mark.usefixtures("in_bands")
def test_a_file_of_that_name_stays_until_the_new_one_is_whole(model, tmp_path):
    source, out = photo_file(tmp_path / "photo.png"), tmp_path / "out.png"
    out.write_bytes(b"before")
    seen = []
    LargePainter(model, max_memory_bytes=ROOM).paint(
        source, [Output(out, 1.0)], progress=lambda _: seen.append(out.read_bytes())
    )
    assert set(seen) == {b"before"}
    assert images.size(out) == (97, 130)


@pytest.mark.usefixtures("in_bands")
def test_a_full_disk_is_told_before_and_halfway(model, tmp_path, monkeypatch):
    source = photo_file(tmp_path / "photo.png")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=100_010_000))
    with pytest.raises(BrushnetError, match=r"has 0\.0 GB free, temporary files need .* TMPDIR"):
        LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(tmp_path / "o.png", 1.0)])
    assert left_in(tmp_path) == ["photo.png"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_disk_that_fills_up_while_a_picture_is_encoded(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "written_whole", lambda path: __import__("contextlib").nullcontext(path))
    noise = torch.rand(1, 3, 200, 3000)
    out = tmp_path / "o.png"
    out.symlink_to("/dev/full")
    with pytest.raises(BrushnetError, match=r"cannot write .*o\.png: No space left on device"):
        encoding.write_rows([(0, noise)], out, 200, 3000, quality=95, bits=8, metadata=images.NOTHING, whole=False)


def test_too_little_memory_for_one_row(model, tmp_path):
    source = photo_file(tmp_path / "photo.png", (20, 6000))
    with pytest.raises(UserError, match=r"--max-memory 0\.001GB: a picture of 6000 px in width needs at least .*GB"):
        LargePainter(model, max_memory_bytes=10**6).paint(source, [Output(tmp_path / "o.png", 1.0)])


def test_formats_that_cannot_hold_it_are_refused_before_it_is_read(model, tmp_path, monkeypatch):
    source = photo_file(tmp_path / "photo.png", (20, 17000))
    monkeypatch.setattr(paint, "read_photo", lambda *_: pytest.fail("read"))
    with pytest.raises(ImageError, match=r"17000 x 20 px cannot be written as WEBP: at most 16383 px a side"):
        LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(tmp_path / "o.webp", 1.0)])


@pytest.mark.usefixtures("in_bands")
def test_without_libvips_it_is_said_what_to_install(model, tmp_path, monkeypatch):
    source = photo_file(tmp_path / "photo.png")
    monkeypatch.setattr(paint, "libvips", lambda: None)
    with pytest.raises(BrushnetError, match=r"130 x 97 pixels do not fit .*pip install 'brushnet\[large\]'"):
        LargePainter(model, max_memory_bytes=ROOM).paint(source, [Output(tmp_path / "o.png", 1.0)])


def test_a_picture_that_claims_too_much_is_refused():
    photo.check_pixels(40_000, 50_000)
    with pytest.raises(ImageError, match=r"50001 x 40000 pixels: more than 2000 megapixels are refused"):
        photo.check_pixels(40_000, 50_001)


@pytest.mark.slow
def test_memory_stays_within_what_is_allowed(model_path, tmp_path):
    """In a process of its own; 24 megapixels at 1 GB, with everything that waits in files."""
    source = tmp_path / "photo.tif"
    pyvips.Image.gaussnoise(6000, 4000, mean=128, sigma=40).cast("uchar").bandjoin_const([90, 160]).tiffsave(source)
    code = f"""
import json, resource, sys
import brushnet
from pathlib import Path
from brushnet.inference.large.paint import LargePainter, Output
from brushnet.inference.resolution import paint_per_side, sizing
model = brushnet.load({str(model_path)!r})
painter = LargePainter(model, max_memory_bytes=10**9)
painter.paint(Path({str(source)!r}), [Output(Path({str(tmp_path / "out.tif")!r}), 1.0)])
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) * 1024 < 10**9
    assert images.size(tmp_path / "out.tif") == (4000, 6000)


@pytest.mark.parametrize(
    ("row_bytes", "device", "wanted"),
    [
        (1e6, "cpu", paint._FASTEST_BAND_BYTES),
        (2e7, "cpu", 250e6),  # of few rows at a time the neighbours would be read again and again
        (1e7, "cpu", 160e6),
        (1e6, "cuda", 250e6),
    ],
)
def test_bands_are_as_large_as_is_fastest_within_the_memory_that_is_allowed(row_bytes, device, wanted):
    budget = paint._Budget(ROOM, 0, 250e6, 0)
    assert budget.best(row_bytes, torch.device(device)) == wanted
