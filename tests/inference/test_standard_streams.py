"""A dash: pictures through pipes, and what is refused."""

import io
import os
import sys
import threading
import time
import types
from pathlib import Path

import pytest
from PIL import Image

from brushnet import images
from brushnet.errors import Stopped, UserError
from brushnet.inference.stylize import stylize_files


class Stream:
    def __init__(self, data: bytes = b"", *, terminal: bool = False):
        self.buffer, self.terminal = io.BytesIO(data), terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def streams(monkeypatch, tmp_path):
    """streams(data): what comes on standard input; returns where standard output goes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def put(data: bytes = b"", **kinds: bool) -> io.BytesIO:
        monkeypatch.setattr(sys, "stdin", Stream(data, terminal=kinds.get("terminal_in", False)))
        monkeypatch.setattr(sys, "stdout", Stream(terminal=kinds.get("terminal_out", False)))
        return sys.stdout.buffer

    yield put
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("kind", "picture_format", "expected"),
    [("JPEG", None, "JPEG"), ("PNG", None, "PNG"), ("WEBP", None, "WEBP"), ("TIFF", None, "TIFF"), ("BMP", None, "PNG"),
     ("GIF", None, "PNG"), ("JPEG", "png", "PNG"), ("PNG", "jpg", "JPEG"), ("PNG", "webp", "WEBP"),
     ("PNG", "tiff", "TIFF")],
)  # fmt: skip
def test_from_pipe_to_pipe(tmp_path, model, save_photo, streams, kind, picture_format, expected):
    photo = save_photo(tmp_path / "a", format=kind)
    out = streams(photo.read_bytes())
    report = stylize_files(model, ["-"], "-", picture_format=picture_format)
    assert (report.written, report.lines()) == ([Path("-")], ["1 picture written (standard output)"])
    with Image.open(io.BytesIO(out.getvalue())) as picture:
        assert (picture.format, picture.size) == (expected, (30, 21))


def test_from_a_file_to_a_pipe_and_from_a_pipe_to_a_file(tmp_path, model, save_photo, streams):
    photo = save_photo(tmp_path / "a.png")
    out = streams(photo.read_bytes())
    stylize_files(model, [photo], "-")
    stylize_files(model, ["-"], tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == out.getvalue()


def test_a_picture_from_a_pipe_has_its_kind_in_a_folder(tmp_path, model, save_photo, streams):
    streams(save_photo(tmp_path / "a.jpg").read_bytes())
    report = stylize_files(model, ["-", save_photo(tmp_path / "b.png")], tmp_path / "out")
    assert [path.name for path in report.written] == ["stdin.jpg", "b.png"]


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_what_is_no_picture_on_standard_input_is_listed_by_that_name(model, streams, data):
    out = streams(data)
    report = stylize_files(model, ["-"], "-")
    assert report.exit_code == 1
    assert report.lines()[1] == "standard input: not a picture, or of an unknown kind"
    assert out.getvalue() == b""


def test_terminals_are_refused(tmp_path, model, save_photo, streams):
    photo = save_photo(tmp_path / "a.png")
    streams(terminal_in=True)
    with pytest.raises(UserError, match=r"^input -: standard input is a terminal; send it a picture$"):
        stylize_files(model, ["-"], tmp_path / "out")
    streams(terminal_out=True)
    with pytest.raises(UserError, match=r"^-o -: standard output is a terminal; send it to a file or a program$"):
        stylize_files(model, [photo], "-")


def test_one_picture_only(tmp_path, model, save_photo, streams):
    photo = save_photo(tmp_path / "photos" / "a.png")
    streams(photo.read_bytes())
    for inputs in ([photo, photo], [tmp_path / "photos"], [str(tmp_path / "photos" / "*.png")]):
        with pytest.raises(UserError, match=r"is one picture, but the input is a folder or several files; give -o a"):
            stylize_files(model, inputs, "-")
    with pytest.raises(UserError, match=r"is one picture, but --strokes asks for 2; give -o a folder$"):
        stylize_files(model, [photo], "-", strokes=[0.5, 1])
    with pytest.raises(UserError, match=r"^input -: standard input holds one picture; give - once$"):
        stylize_files(model, ["-", "-"], tmp_path / "out")


def test_the_picture_on_standard_output_keeps_16_bits(tmp_path, model, save_photo, streams):
    out = streams(save_photo(tmp_path / "a.png").read_bytes())
    stylize_files(model, ["-"], "-", picture_format="tiff", bits=16)
    (tmp_path / "b.tif").write_bytes(out.getvalue())
    assert images.header(tmp_path / "b.tif").bits == 16


def test_waiting_for_a_picture_that_does_not_come_can_be_stopped(tmp_path, model, monkeypatch):
    reading, writing = os.pipe()
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with open(reading, "rb") as pipe, open(writing, "wb"):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=pipe, isatty=lambda: False))
        with pytest.raises(Stopped, match=r"^stopped$"):
            stylize_files(model, ["-"], tmp_path / "out", stop=stop)


def test_a_picture_that_comes_in_pieces_is_whole(tmp_path, model, save_photo, monkeypatch):
    data = save_photo(tmp_path / "a.png", (300, 200)).read_bytes()
    reading, writing = os.pipe()

    def send():
        with open(writing, "wb", buffering=0) as pipe:
            for start in range(0, len(data), 100):
                pipe.write(data[start : start + 100])
                time.sleep(0.001)

    threading.Thread(target=send).start()
    with open(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=pipe, isatty=lambda: False))
        report = stylize_files(model, ["-"], tmp_path / "out.png")
    assert (report.exit_code, images.size(tmp_path / "out.png")) == (0, (200, 300))
