"""`brushnet stylize` for videos: its options, and what it says."""

import argparse
import threading

import pytest

from brushnet.commands import stylize_video as command
from brushnet.errors import UserError
from brushnet.inference.video.opening import VideoError

pytest.importorskip("av")
from tests.inference.video.clips import read_clip, write_clip

PICTURES = dict(command._OF_PICTURES)


def parsed(*words, **others) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    plain = {"inputs": ["a.mp4"], "output": "out", "force": False, **PICTURES}
    return argparse.Namespace(**{**vars(parser.parse_args(words)), **plain, **others})


def test_options_become_those_of_the_function():
    words = ["--stroke-from", "0.5", "--stroke-to", "2", "--crf", "30", "--no-steady"]
    assert command.check(parsed(*words)) == {"stroke_from": 0.5, "stroke_to": 2.0, "crf": 30, "steady": False}
    assert command.check(parsed()) == {"stroke_from": None, "stroke_to": None, "crf": None, "steady": True}


@pytest.mark.parametrize("text", ["0", "-1", "nan", "big", "inf"])
def test_ends_of_the_brush_are_numbers_above_0(text):
    with pytest.raises(UserError, match=rf"--stroke-to must be a number above 0, got '{text}'"):
        command.check(parsed("--stroke-to=" + text))


@pytest.mark.parametrize(
    ("name", "value"), [("strokes", "1,2"), ("stroke_per_side", "1"), ("format", "png"), ("bits", "16"), ("jobs", 2)]
)
def test_options_for_pictures_are_refused_for_videos(name, value):
    with pytest.raises(UserError, match=rf"--{name.replace('_', '-')} is for pictures, not for videos"):
        command.check(parsed(**{name: value}))


def test_standard_output_takes_no_video():
    with pytest.raises(UserError, match="not to standard output; give -o a name"):
        command.check(parsed(output="-"))


@pytest.mark.parametrize("word", ["--stroke-from=1", "--stroke-to=1", "--crf=20", "--no-steady"])
def test_options_for_videos_are_refused_where_there_is_none(word):
    with pytest.raises(UserError, match=rf"{word.split('=')[0]} is for videos; no INPUT is one"):
        command.refuse_without_video(parsed(word))
    command.refuse_without_video(parsed())


def test_several_clips_are_painted_and_a_broken_one_is_told(tmp_path, model_path, capsys):
    clips = [write_clip(tmp_path / "a.mp4", 3), tmp_path / "b.mp4", write_clip(tmp_path / "c.mkv", 2)]
    clips[1].write_bytes(b"broken")
    args = parsed(model=str(model_path), output=str(tmp_path / "out"))
    assert command.paint(clips, args, {"strength": 0.5}, threading.Event()) == 1
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == f"3 frames painted ({tmp_path / 'out' / 'a.mp4'})"
    assert second.startswith(f"no video, or a broken one: {clips[1]}")
    assert third == f"2 frames painted ({tmp_path / 'out' / 'c.mkv'})"
    assert len(read_clip(tmp_path / "out" / "c.mkv")) == 2


def test_a_single_broken_clip_is_an_error(tmp_path, model_path):
    (tmp_path / "b.mp4").write_bytes(b"broken")
    args = parsed(model=str(model_path), output=str(tmp_path / "c.mp4"))
    with pytest.raises(VideoError, match="no video, or a broken one"):
        command.paint([tmp_path / "b.mp4"], args, {}, threading.Event())
