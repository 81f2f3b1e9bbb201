"""Clips that are broken, cut off or none at all, and what is left behind when the writing fails."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from brushnet.errors import BrushnetError, Stopped, UserError
from brushnet.files import PARTIAL
from brushnet.inference.video.opening import VideoError
from brushnet.inference.video.stylize import stylize_video

av = pytest.importorskip("av")
from tests.inference.video.clips import read_clip, tone, write_clip  # noqa: E402


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_clip_that_is_cut_off_is_painted_as_far_as_it_goes_and_reported(tmp_path, model, suffix):
    clip = write_clip(tmp_path / f"a{suffix}", 50, sound="aac", fast_start=suffix == ".mp4")
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) * 6 // 10])
    report = stylize_video(model, clip, tmp_path / "b.mp4", strength=0)
    assert 20 <= report.frames < 40
    assert len(read_clip(tmp_path / "b.mp4")) == report.frames
    if suffix == ".ts":  # a stream that has no end
        return
    assert report.exit_code == 1
    assert any("cut off" in line for line in report.lines()), report.lines()
    assert report.lines()[-1] == f"{report.frames} frames painted ({tmp_path / 'b.mp4'})"


def test_damaged_frames_are_counted_and_the_rest_is_painted(tmp_path, model):
    clip = write_clip(tmp_path / "a.mkv", 50)
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 3, 2 * len(data) // 3, 97):
        data[place] ^= 0x55
    clip.write_bytes(data)
    report = stylize_video(model, clip, tmp_path / "b.mp4", strength=0)
    assert report.frames >= 15
    assert report.exit_code == 1
    assert report.problems


def test_whole_clip_has_no_problems(tmp_path, model):
    for name, sound in [("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.ts", "aac"), ("a.mov", ""), ("a.webm", "libopus")]:
        codec = {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}} if name.endswith("webm") else {}
        clip = write_clip(tmp_path / name, 30, sound=sound, **codec)
        report = stylize_video(model, clip, tmp_path / "out" / name[2:], strength=0)
        assert (report.problems, report.frames, report.exit_code) == ([], 30, 0), name


def test_file_that_is_no_video_is_said(tmp_path, model):
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(VideoError, match=r"no video, or a broken one: .*a\.mp4 \(Invalid data"):
        stylize_video(model, tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert names(tmp_path) == ["a.mp4"]


def test_empty_file_is_said(tmp_path, model):
    (tmp_path / "a.mkv").write_bytes(b"")
    with pytest.raises(VideoError, match=r"no video, or a broken one: .*a\.mkv"):
        stylize_video(model, tmp_path / "a.mkv", tmp_path / "b.mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_playlist_with_the_name_of_a_video_opens_no_other_file(tmp_path, model, name):
    clip = write_clip(tmp_path / "other.ts", 5)
    (tmp_path / name).write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{clip}\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="no video, or a broken one"):
        stylize_video(model, tmp_path / name, tmp_path / "b.mp4")
    (tmp_path / name).write_text(f"ffconcat version 1.0\nfile '{clip}'\n")
    with pytest.raises(VideoError, match="no video, or a broken one"):
        stylize_video(model, tmp_path / name, tmp_path / "b.mp4")


def test_sound_alone_is_said(tmp_path, model):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        voice = container.add_stream("aac", rate=48000, layout="stereo")
        container.mux(voice.encode(tone(1)))
        container.mux(voice.encode(None))
    with pytest.raises(VideoError, match=r"no video in this file, only sound: .*a\.mp4"):
        stylize_video(model, tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert names(tmp_path) == ["a.mp4"]


def test_clip_without_a_frame_is_said(tmp_path, model):
    clip = write_clip(tmp_path / "a.mkv", 1)
    with av.open(str(clip)) as source, av.open(str(tmp_path / "none.mkv"), "w") as container:
        packet = next(source.demux(video=0))
        packet.stream = container.add_stream_from_template(source.streams.video[0])
        packet.update(bytes(packet.size))
        container.mux(packet)
    with pytest.raises(VideoError, match=r"no frame of this video can be decoded: .*none\.mkv"):
        stylize_video(model, tmp_path / "none.mkv", tmp_path / "b.mp4")
    assert names(tmp_path) == ["a.mkv", "none.mkv"]


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
def test_what_is_left_of_a_damaged_clip_is_painted_or_it_is_refused(tmp_path, model, suffix):
    whole = write_clip(tmp_path / f"a{suffix}", 12, sound="aac", fast_start=True).read_bytes()
    chance, clip, painted = random.Random(0), tmp_path / f"b{suffix}", 0
    for _ in range(15):
        data = bytearray(whole)
        for _ in range(chance.choice([2, 20, 200])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        clip.write_bytes(data)
        with contextlib.suppress(VideoError):
            painted += stylize_video(model, clip, tmp_path / "c.mp4", strength=0, force=True).frames > 0
    assert painted >= 8


def test_video_of_an_unknown_codec_is_said(tmp_path, model):
    clip = write_clip(tmp_path / "a.mkv", 2)
    clip.write_bytes(clip.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    with pytest.raises(VideoError, match=r"video of a codec that is not known: .*a\.mkv"):
        stylize_video(model, clip, tmp_path / "b.mp4")


def test_missing_clip_and_folder_are_refused(tmp_path, model):
    with pytest.raises(UserError, match=r"input not found: .*a\.mp4"):
        stylize_video(model, tmp_path / "a.mp4", tmp_path / "b.mp4")
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(UserError, match=r"a folder, not a video: .*a\.mp4"):
        stylize_video(model, tmp_path / "a.mp4", tmp_path / "b.mp4")


def test_without_pyav_one_line_says_what_to_install(tmp_path, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"videos need PyAV, which is not installed: pip install 'brushnet\[video\]'"):
        stylize_video(model, tmp_path / "a.mp4", tmp_path / "b.mp4")


def test_pyav_that_is_too_old_is_said(tmp_path, model, monkeypatch):
    monkeypatch.setattr(av, "__version__", "17.1.0")
    with pytest.raises(UserError, match=r"videos need PyAV 18 or newer, this is 17\.1\.0: pip install"):
        stylize_video(model, tmp_path / "a.mp4", tmp_path / "b.mp4")


def test_huge_frames_of_a_small_file_are_refused(tmp_path, model, monkeypatch):
    from brushnet.inference.video import clip_info

    monkeypatch.setattr(clip_info, "MAX_PIXELS", 20_000)
    clip = write_clip(tmp_path / "a.mp4", 1, size=(200, 102))
    with pytest.raises(VideoError, match=r"frames of 200 x 102 px, more than 0 megapixels: .*a\.mp4"):
        stylize_video(model, clip, tmp_path / "b.mp4")


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrushnetError])
def test_what_ends_it_on_the_way_leaves_nothing_behind(tmp_path, model, error):
    def stop(done, *_):
        if done == 3:
            assert any(name.endswith(".part") for name in names(tmp_path))
            raise error("stop")

    (tmp_path / "b.mp4").write_bytes(b"an earlier one")
    with pytest.raises(error):
        stylize_video(
            model, write_clip(tmp_path / "a.mp4", 9, sound="aac"), tmp_path / "b.mp4", force=True, progress=stop
        )
    assert names(tmp_path) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"an earlier one"


def test_stop_from_elsewhere_comes_soon_and_says_how_far_it_was(tmp_path, model):
    stop, clip = threading.Event(), write_clip(tmp_path / "a.mp4", 9, sound="aac")
    with pytest.raises(Stopped, match=r"stopped after 3 of 9 frames of .*a\.mp4; nothing is written"):
        stylize_video(
            model, clip, tmp_path / "b.mp4", progress=lambda done, *_: stop.set() if done == 3 else None, stop=stop
        )
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes on this system")
def test_disk_that_fills_on_the_way_is_said_and_leaves_nothing_behind(tmp_path, model_path):
    clip = write_clip(tmp_path / "a.mp4", 20, size=(320, 240))
    script = f"""
        import resource, signal
        from brushnet.errors import BrushnetError
        from brushnet.inference.video.stylize import stylize_video
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        for name in ["b.mp4", "b.mkv"]:
            try:
                stylize_video({str(model_path)!r}, {str(clip)!r}, {str(tmp_path)!r} + "/" + name, strength=0, crf=0)
            except BrushnetError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    expected = [f"cannot write {tmp_path / name}: File too large" for name in ["b.mp4", "b.mkv"]]
    assert done.stdout.splitlines() == expected, done.stderr[-2000:]
    assert names(tmp_path) == ["a.mp4", "model.safetensors"]


def test_a_link_with_the_temporary_name_is_not_followed(tmp_path, model):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f".b.mp4.{os.getpid()}{PARTIAL}").symlink_to(victim)
    stylize_video(model, write_clip(tmp_path / "a.mp4", 2), tmp_path / "b.mp4")
    assert victim.read_bytes() == b"precious"
