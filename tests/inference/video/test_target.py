"""Where a painted clip is written, and what is refused."""

import os
from pathlib import Path

import pytest

from brushnet.errors import UserError
from brushnet.images.formats import SUFFIXES
from brushnet.inference.video import target as module
from brushnet.inference.video.formats import VIDEO_SUFFIXES, WRITABLE, checked_crf, format_of, is_video
from brushnet.inference.video.target import target, targets


def test_video_is_known_by_its_suffix():
    assert is_video("clip.MP4")
    assert is_video("folder/clip.mkv")
    assert not any(is_video(name) for name in ["photo.jpg", "clip", "mp4", "moving.gif"])
    assert set(WRITABLE) <= set(VIDEO_SUFFIXES)


def test_suffix_makes_a_file_and_anything_else_a_folder(tmp_path):
    clip = tmp_path / "clip.avi"
    assert target(clip, tmp_path / "b.webm") == tmp_path / "b.webm"
    assert target(clip, tmp_path / "out.v2") == tmp_path / "out.v2" / "clip.mkv"
    assert target(tmp_path / "clip.MOV", tmp_path / "out") == tmp_path / "out" / "clip.MOV"


@pytest.mark.parametrize("name", ["b.avi", "b.wmv", "b.png", "b.GIF"])
def test_suffix_that_cannot_be_written_names_those_that_can(tmp_path, name):
    message = rf"-o .*{name}: \.{name[2:]} cannot be written as video, allowed are \.mp4, .*\.webm"
    with pytest.raises(UserError, match=f"(?i){message}"):
        target(tmp_path / "a.mp4", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_clip_itself_is_never_overwritten(tmp_path):
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"clip")
    (tmp_path / "link.mp4").symlink_to(clip)
    for out in [clip, tmp_path, tmp_path / "link.mp4", tmp_path / ".." / tmp_path.name / "a.mp4"]:
        with pytest.raises(UserError, match=r"-o .* would overwrite the input .*a\.mp4; choose another"):
            target(clip, out, force=True)


def test_what_is_there_is_overwritten_with_force_only(tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"earlier")
    with pytest.raises(UserError, match=r"b\.mp4 would be overwritten; pass --force"):
        target(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert target(tmp_path / "a.mp4", tmp_path / "b.mp4", force=True) == tmp_path / "b.mp4"


def test_folder_and_file_are_not_mixed_up(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"-o .*file: a file; give a folder, or a video with one of \.mp4"):
        target(tmp_path / "a.mp4", tmp_path / "file")
    (tmp_path / "out" / "a.mp4").mkdir(parents=True)
    with pytest.raises(UserError, match=r"out/a\.mp4 would be overwritten; choose another -o"):
        target(tmp_path / "a.mp4", tmp_path / "out", force=True)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such folder on this system")
def test_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"-o .* cannot be written to: "):
        target(tmp_path / "a.mp4", tmp_path / "file" / "b.mp4")


def test_quality_is_that_of_the_codec():
    h264, vp9 = format_of(Path() / "a.mp4").codec, format_of(Path() / "a.webm").codec
    assert (checked_crf(None, h264), checked_crf(30, h264), checked_crf(63, vp9)) == (17, 30, 63)
    with pytest.raises(UserError, match=r"--crf must be from 0 \(best\) to 51 with libx264, got 63"):
        checked_crf(63, h264)


def test_clips_of_one_name_get_numbers_and_a_file_takes_one_only(tmp_path):
    clips = [tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.mp4", tmp_path / "c" / "clip.avi"]
    out = tmp_path / "out"
    assert targets(clips, out) == [out / "clip.mp4", out / "clip-2.mp4", out / "clip.mkv"]
    with pytest.raises(UserError, match=r"-o .*b\.mp4 is one video, but there are 3 inputs; give -o a folder"):
        targets(clips, tmp_path / "b.mp4")


def test_the_suffixes_of_pictures_are_those_of_pictures():
    assert module._PICTURES == SUFFIXES  # said twice: that of pictures comes with torch
