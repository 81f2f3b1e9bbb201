"""Painting files: every kind of picture, several scales, and what a broken one does to the rest."""

import errno
import logging
import os
import threading

import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.devices import pick_device
from brushnet.errors import BrushnetError, Stopped, UserError
from brushnet.inference import contact_sheet
from brushnet.inference.finish import finish
from brushnet.inference.stylize import StylizeReport, default_jobs, stylize_files


@pytest.mark.parametrize("size", [(1, 1), (70, 1), (1, 33), (31, 22), (64, 40)])
def test_output_has_the_size_of_the_photo(tmp_path, model, save_photo, size):
    report = stylize_files(model, [save_photo(tmp_path / "a.png", size)], tmp_path / "out")
    assert (report.written, report.failed, report.exit_code) == ([tmp_path / "out" / "a.png"], [], 0)
    assert images.read_uint8(tmp_path / "out" / "a.png").shape[1:] == size[::-1]


@pytest.mark.parametrize(
    ("name", "mode"),
    [("grey.jpg", "L"), ("cmyk.jpg", "CMYK"), ("deep.png", "I;16"), ("alpha.png", "RGBA"), ("palette.gif", "P")],
)
def test_pictures_of_every_kind_are_painted_in_rgb(tmp_path, model, save_photo, name, mode):
    report = stylize_files(model, [save_photo(tmp_path / name, mode=mode)], tmp_path / "out")
    with Image.open(report.written[0]) as picture:
        assert (picture.mode, picture.size, report.failed) == ("RGB", (30, 21), [])


def test_photo_held_sideways_is_painted_upright(tmp_path, model, save_photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    save_photo(tmp_path / "a.jpg", (30, 21), exif=exif)
    report = stylize_files(model, [tmp_path / "a.jpg"], tmp_path / "out")
    with Image.open(report.written[0]) as picture:
        assert picture.size == (21, 30)
        assert not picture.getexif()  # else a viewer would turn it once more


def test_pixels_are_those_of_the_model(tmp_path, model, save_photo):
    photo = save_photo(tmp_path / "a.png")
    stylize_files(model, [photo], tmp_path / "b.png", strokes=[1.7])
    expected = images.to_uint8(model(images.read(photo), stroke=1.7))[0]
    assert torch.equal(images.read_uint8(tmp_path / "b.png"), expected)


def test_model_is_loaded_from_a_path(tmp_path, model_path, model, save_photo):
    photo = save_photo(tmp_path / "a.png")
    stylize_files(str(model_path), [str(photo)], str(tmp_path / "b.png"))
    stylize_files(model, [photo], tmp_path / "c.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_several_scales_give_a_picture_each_and_a_sheet(tmp_path, model, save_photo):
    save_photo(tmp_path / "photos" / "a.jpg", (300, 200))
    save_photo(tmp_path / "photos" / "deep" / "b.png", (200, 300))
    report = stylize_files(model, [tmp_path / "photos"], tmp_path / "out", strokes=[0.5, 1, 2])
    written = [path.relative_to(tmp_path / "out").as_posix() for path in report.written]
    assert written == [
        *["a_s0.50.jpg", "a_s1.00.jpg", "a_s2.00.jpg"],
        *["deep/b_s0.50.png", "deep/b_s1.00.png", "deep/b_s2.00.png"],
        "sheet.jpg",
    ]
    assert report.sheet == tmp_path / "out" / "sheet.jpg"
    files = [(tmp_path / "out" / "deep" / f"b_s{label}.png").read_bytes() for label in ["0.50", "1.00", "2.00"]]
    assert len(set(files)) == 3


def test_sheet_has_a_row_a_photo_and_a_column_a_scale_beside_the_photo(tmp_path, model, save_photo):
    for index in range(2):
        save_photo(tmp_path / "photos" / f"{index}.png", (320, 320))
    report = stylize_files(model, [tmp_path / "photos"], tmp_path / "out", strokes=[0.5, 2])
    sheet = images.read(report.sheet)
    assert 3 * 320 < sheet.shape[-1] < 3.5 * 320
    assert 2 * 320 < sheet.shape[-2] < 2.5 * 320
    cell = sheet[..., -320 - 6 : -6, -320 - 6 : -6]  # last row, last column
    painted = images.read(tmp_path / "out" / "1_s2.00.png")
    assert (cell - painted).abs().mean() < 0.02


def test_sheet_shows_only_the_first_of_many_photos_and_says_so(tmp_path, model, save_photo, monkeypatch, caplog):
    monkeypatch.setattr(contact_sheet, "ROWS", 2)
    for index in range(3):
        save_photo(tmp_path / "photos" / f"{index}.png", (40, 40))
    report = stylize_files(model, [tmp_path / "photos"], tmp_path / "out", strokes=[0.5, 2])
    assert len(report.written) == 7
    assert any("shows the first 2 of 3 photos" in message for message in caplog.messages)


def test_broken_picture_among_good_ones_is_reported_and_the_rest_is_painted(tmp_path, model, save_photo):
    for name in ["a.jpg", "c.jpg"]:
        save_photo(tmp_path / "photos" / name)
    (tmp_path / "photos" / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    report = stylize_files(model, [tmp_path / "photos"], tmp_path / "out")
    assert [path.name for path in report.written] == ["a.jpg", "c.jpg"]
    assert [path.name for path, _ in report.failed] == ["b.jpg"]
    assert report.exit_code == 1
    first, named, last = report.lines()
    assert (first, last) == ("1 failed:", "2 pictures written; 1 failed, see above")
    assert "b.jpg: " in named
    assert "picture" in named


def test_only_broken_pictures_give_no_sheet(tmp_path, model):
    (tmp_path / "b.jpg").write_bytes(b"")
    report = stylize_files(model, [tmp_path / "b.jpg"], tmp_path / "out", strokes=[0.5, 1])
    assert (report.written, report.sheet, report.exit_code) == ([], None, 1)
    assert report.lines()[-1] == "0 pictures written; 1 failed, see above"


def test_photo_that_goes_away_meanwhile_does_not_stop_the_rest(tmp_path, model, save_photo):
    first, second = save_photo(tmp_path / "a.jpg"), save_photo(tmp_path / "b.jpg")
    report = stylize_files(
        model,
        [first, second],
        tmp_path / "out",
        jobs=1,
        progress=lambda done, *_: second.unlink() if done == 1 else None,
    )
    assert [path.name for path in report.written] == ["a.jpg"]
    assert report.lines()[1] == f"picture not found: {second}"  # named once


def test_photo_too_large_for_the_memory_does_not_stop_the_rest(tmp_path, model, save_photo, monkeypatch):
    forward = model.net.forward

    def small_only(photo, *more):
        if photo.shape[-1] > 50:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        return forward(photo, *more)

    monkeypatch.setattr(model.net, "forward", small_only)
    photos = [save_photo(tmp_path / "a.jpg", (60, 20)), save_photo(tmp_path / "b.jpg", (40, 20))]
    report = stylize_files(model, photos, tmp_path / "out")
    assert [path.name for path in report.written] == ["b.jpg"]
    assert report.failed == [(photos[0], "too large for the memory of cpu; make it smaller")]


def test_a_bug_is_not_taken_for_a_bad_photo(tmp_path, model, save_photo, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(model.net, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        stylize_files(model, [save_photo(tmp_path / "a.jpg")], tmp_path / "out")


def test_full_disk_stops_the_run(tmp_path, model, save_photo, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    photo = save_photo(tmp_path / "a.png")
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(BrushnetError, match=r"cannot write .*a\.png: No space left on device"):
        stylize_files(model, [photo], tmp_path / "out")


@pytest.mark.parametrize(("suffix", "width"), [(".webp", 16_400), (".jpg", 65_600)])
def test_photo_that_the_format_cannot_hold_does_not_stop_the_rest(tmp_path, model, save_photo, suffix, width):
    # The content decides how it is read, the name how it is written.
    wide = save_photo(tmp_path / "a.png", (width, 1)).rename(tmp_path / f"a{suffix}")
    report = stylize_files(model, [wide, save_photo(tmp_path / "b.png")], tmp_path / "out")
    assert [path.name for path in report.written] == ["b.png"]
    assert f"{width} x 1 px cannot be written as " in report.failed[0][1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.png"]


def test_a_sheet_that_its_format_cannot_hold_is_reported_beside_the_pictures(tmp_path, model, save_photo, monkeypatch):
    monkeypatch.setattr(images, "sheet", lambda *_, **__: torch.zeros(1, 3, 1, 65_600))
    report = stylize_files(model, [save_photo(tmp_path / "a.png")], tmp_path / "out", strokes=[0.5, 1])
    assert [path.name for path in report.written] == ["a_s0.50.png", "a_s1.00.png"]
    assert report.sheet is None
    assert (report.failed[0][0], report.exit_code) == (tmp_path / "out" / "sheet.jpg", 1)
    assert "65600 x 1 px cannot be written as JPEG" in report.failed[0][1]


def test_quality_makes_smaller_jpegs(tmp_path, model, save_photo):
    photo = save_photo(tmp_path / "a.jpg", (100, 100))
    stylize_files(model, [photo], tmp_path / "small.jpg", quality=20)
    stylize_files(model, [photo], tmp_path / "large.jpg", quality=95)
    assert (tmp_path / "small.jpg").stat().st_size < 0.7 * (tmp_path / "large.jpg").stat().st_size


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_out_of_range(tmp_path, model, save_photo, quality):
    with pytest.raises(UserError, match=rf"--quality must be from 1 to 100, got {quality}"):
        stylize_files(model, [save_photo(tmp_path / "a.jpg")], tmp_path / "out", quality=quality)


def test_scales_clamped_to_the_same_are_painted_once_with_a_warning(tmp_path, model, save_photo, caplog):
    report = stylize_files(model, [save_photo(tmp_path / "a.jpg")], tmp_path / "out", strokes=[0.1, 0.2, 1])
    assert [path.name for path in report.written] == ["a_s0.50.jpg", "a_s1.00.jpg", "sheet.jpg"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_wrong_strokes_are_refused_before_anything_is_written(tmp_path, model, make_model, save_photo):
    photo, out = save_photo(tmp_path / "a.jpg"), tmp_path / "out"
    with pytest.raises(UserError, match=r"stroke 9 is outside the trained range 0\.5 to 2$"):
        stylize_files(model, [photo], out, strokes=[1, 9], strict=True)
    with pytest.raises(UserError, match=r"stroke must be a finite number above 0, got nan"):
        stylize_files(model, [photo], out, strokes=[float("nan")])
    with pytest.raises(UserError, match=r"stroke\.mode=mixed and paints with its own stroke 1 only"):
        stylize_files(make_model(mode="mixed"), [photo], out, strokes=[0.5])
    assert not out.exists()


def test_model_paints_with_its_own_stroke_if_none_is_named(tmp_path, make_model, save_photo):
    photo = save_photo(tmp_path / "a.png")
    fixed = make_model(mode="fixed", low=1.5, high=1.5)
    assert stylize_files(fixed, [photo], tmp_path / "out").exit_code == 0
    assert stylize_files(fixed, [photo], tmp_path / "out", strokes=[1.5], force=True).exit_code == 0


def test_style_is_chosen_by_name(tmp_path, make_model, save_photo):
    photo, model = save_photo(tmp_path / "a.png"), make_model(styles=2)
    stylize_files(model, [photo], tmp_path / "first.png")
    stylize_files(model, [photo], tmp_path / "second.png", style="painting-1")
    assert (tmp_path / "first.png").read_bytes() != (tmp_path / "second.png").read_bytes()
    with pytest.raises(UserError, match=r"style must be one of painting-0, painting-1, got 'monet'"):
        stylize_files(model, [photo], tmp_path / "third.png", style="monet")


def test_a_mixture_of_paintings_is_between_them(tmp_path, make_model, save_photo):
    photo, model = save_photo(tmp_path / "a.png"), make_model(styles=2)
    out = {name: tmp_path / f"{name}.png" for name in ("first", "mixed", "second")}
    for name, style in zip(out, (0, {"painting-0": 0.5, "painting-1": 0.5}, 1), strict=True):
        stylize_files(model, [photo], out[name], style=style)
    assert len({path.read_bytes() for path in out.values()}) == 3
    with pytest.raises(UserError, match=r"^weights of a mixture must sum to 1 within 0\.01, got 1\.2; write "):
        stylize_files(model, [photo], tmp_path / "x.png", style={"painting-0": 0.6, "painting-1": 0.6})
    assert not (tmp_path / "x.png").exists()


def test_no_input(tmp_path, model):
    with pytest.raises(UserError, match="no input; give pictures or folders"):
        stylize_files(model, [], tmp_path / "out")


def test_shipped_photos_by_name(tmp_path, model, monkeypatch, save_photo):
    save_photo(tmp_path / "shipped" / "photos" / "harbour.jpg")
    monkeypatch.setattr("brushnet.samples.samples_dir", lambda: tmp_path / "shipped")
    report = stylize_files(model, ["sample:photos"], tmp_path / "out")
    assert report.written == [tmp_path / "out" / "harbour.jpg"]
    assert report.lines() == [f"1 picture written ({tmp_path / 'out' / 'harbour.jpg'})"]


def test_progress_counts_every_picture_also_the_failed(tmp_path, model, save_photo):
    (tmp_path / "a.jpg").write_bytes(b"broken")
    calls = []
    inputs = [tmp_path / "a.jpg", save_photo(tmp_path / "b.jpg")]
    stylize_files(model, inputs, tmp_path / "out", strokes=[0.5, 1], progress=lambda *call: calls.append(call))
    assert calls == [(0, 4, inputs[0]), (2, 4, inputs[0]), (3, 4, inputs[1]), (4, 4, inputs[1])]


def test_strength_0_gives_the_photo_back_and_1_is_the_default(tmp_path, model, save_photo):
    photo = save_photo(tmp_path / "a.png")
    for name, options in {"0": {"strength": 0}, "0.5": {"strength": 0.5}, "1": {"strength": 1}, "none": {}}.items():
        stylize_files(model, [photo], tmp_path / f"{name}.png", **options)
    pixels = {name: images.read_uint8(tmp_path / f"{name}.png") for name in ("0", "0.5", "1", "none")}
    assert torch.equal(pixels["0"], images.read_uint8(photo))
    assert torch.equal(pixels["1"], pixels["none"])
    assert not torch.equal(pixels["0.5"], pixels["1"])


@pytest.mark.parametrize("way", ["luminance", "histogram"])
def test_each_stroke_is_finished_in_the_same_way(tmp_path, model, save_photo, way):
    photo = save_photo(tmp_path / "a.png", (70, 50))
    stylize_files(model, [photo], tmp_path / "out", strokes=[0.5, 2], strength=0.7, preserve_colour=way)
    pixels = images.read(photo)
    for scale in (0.5, 2.0):
        expected = finish(pixels, model(pixels, stroke=scale), strength=0.7, preserve_colour=way)
        assert torch.equal(images.read_uint8(tmp_path / "out" / f"a_s{scale:.2f}.png"), images.to_uint8(expected)[0])


def test_wrong_strength_and_colour_are_refused_before_anything_is_written(tmp_path, model, save_photo):
    photo, out = save_photo(tmp_path / "a.jpg"), tmp_path / "out"
    with pytest.raises(UserError, match=r"^--strength must be a number from 0 .* got 2$"):
        stylize_files(model, [photo], out, strength=2)
    with pytest.raises(UserError, match=r"^--strength must be a number from 0 .* got nan$"):
        stylize_files(model, [photo], out, strength=float("nan"))
    with pytest.raises(UserError, match=r"^--preserve-colour must be luminance or histogram, got 'purple'; "):
        stylize_files(model, [photo], out, preserve_colour="purple")
    assert not out.exists()


def test_unknown_device_lists_what_is_here():
    with pytest.raises(UserError, match=r"--device abacus is not on this machine; allowed are auto, .*cpu$"):
        pick_device("abacus")


def test_devices_are_found_in_order_of_speed(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:0") == torch.device("cuda:0")
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match=r"--device cuda:1 is not on this machine; allowed are auto, cuda, cuda:0, cpu"):
        pick_device("cuda:1")


def test_a_folder_that_cannot_be_read_is_listed_beside_what_is_painted(tmp_path, model, save_photo, monkeypatch):
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    for name in ("a.jpg", "shut/b.jpg", "c.jpg"):
        save_photo(tmp_path / "photos" / name)
    monkeypatch.setattr(os, "scandir", refusing)
    report = stylize_files(model, [tmp_path / "photos"], tmp_path / "out")
    assert [path.name for path in report.written] == ["a.jpg", "c.jpg"]
    assert report.failed == [(tmp_path / "photos" / "shut", "folder cannot be read: Permission denied")]
    assert report.exit_code == 1


@pytest.mark.parametrize(("force", "said"), [(False, "stopped; the same"), (True, "stopped; without --force the same")])
def test_stop_from_elsewhere_says_how_it_goes_on(tmp_path, model, save_photo, force, said):
    stop, report = threading.Event(), StylizeReport()
    photos = [save_photo(tmp_path / f"{number}.png") for number in range(6)]
    with pytest.raises(Stopped, match=rf"^{said} command goes on with what is left$"):
        stylize_files(model, photos, tmp_path / "out", stop=stop, report=report, jobs=1, force=force,
                      progress=lambda done, *_: stop.set() if done == 2 else None)  # fmt: skip
    assert [path.name for path in report.written] == ["0.png", "1.png"]
    assert stylize_files(model, photos, tmp_path / "out").skipped == 2


def test_half_of_a_photo_s_scales_are_told_and_the_other_half_is_painted_later(tmp_path, model, save_photo):
    stop, report, photo = threading.Event(), StylizeReport(), save_photo(tmp_path / "a.png")
    with pytest.raises(Stopped):
        stylize_files(model, [photo], tmp_path / "out", strokes=[0.5, 1, 2], stop=stop, report=report,
                      progress=lambda done, *_: stop.set() if done else None)  # fmt: skip
    assert [path.name for path in report.written] == ["a_s0.50.png"]
    again = stylize_files(model, [photo], tmp_path / "out", strokes=[0.5, 1, 2])
    assert ([path.name for path in again.written], again.skipped) == (["a_s1.00.png", "a_s2.00.png", "sheet.jpg"], 1)
    assert again.lines() == [
        f"3 pictures written, contact sheet {tmp_path / 'out' / 'sheet.jpg'}, "
        "1 skipped (there already; --force paints them again)"
    ]


def test_stop_that_comes_with_the_last_picture_is_no_stop(tmp_path, model, save_photo):
    stop = threading.Event()
    report = stylize_files(model, [save_photo(tmp_path / "a.png")], tmp_path / "out", stop=stop,
                           progress=lambda done, *_: stop.set() if done else None)  # fmt: skip
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("device", "cores", "jobs"), [("cpu", 1, 2), ("cpu", 64, 2), ("cuda", 1, 2), ("cuda", 4, 4), ("cuda", 64, 8)]
)
def test_a_gpu_has_more_pictures_in_hand_than_a_cpu(monkeypatch, device, cores, jobs):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert default_jobs(torch.device(device)) == jobs
