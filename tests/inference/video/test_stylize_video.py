"""A video painted: what of the clip stays, how the brush moves, and what a wrong request does."""

import logging
from fractions import Fraction

import numpy as np
import pytest
import torch

from brushnet import images
from brushnet.errors import BrushnetError, UserError
from brushnet.inference.finish import finish
from brushnet.inference.video import stylize
from brushnet.inference.video.stylize import stylize_video

av = pytest.importorskip("av")
from tests.inference.video.clips import packets, pattern, read_clip, write_clip  # noqa: E402

PLACE = "+48.2000+016.3000/"


def photos_back(model, clip, out, **options):
    """The whole way with a network that changes nothing: strength 0 gives the photo."""
    return stylize_video(model, clip, out, strength=0, crf=0, **options)


def test_frames_are_the_models_pictures(tmp_path, model):
    clip = write_clip(tmp_path / "a.mkv", 3, codec="ffv1", pix_fmt="bgr0", options={})
    report = stylize_video(model, clip, tmp_path / "b.mkv", stroke=1.4, steady=False, crf=0)
    assert (report.written, report.frames, report.problems, report.exit_code) == (tmp_path / "b.mkv", 3, [], 0)
    for number, frame in enumerate(read_clip(tmp_path / "b.mkv")):
        photo = images.to_float(torch.from_numpy(pattern(number)).permute(2, 0, 1))[None]
        expected = images.resize(model(photo, 1.4), 24, 32)  # colours have half the resolution
        painted = images.to_float(torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1))[None]
        assert (images.resize(painted, 24, 32) - expected).abs().mean() < 0.01


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "gray"])
@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (2, 5, 6, 13), (1, 9, 9, 14), (0, 2, 2, 2), (2, 1, 1, 1)])
def test_pixels_that_are_not_painted_stay_as_they_are(tmp_path, model, pix_fmt, tags):
    blocks = np.random.default_rng(0).integers(16, 240, (6, 8, 3)).astype(np.uint8)
    picture = blocks.repeat(16, axis=0).repeat(16, axis=1)
    clip = write_clip(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt=pix_fmt, tags=tags, options={})
    photos_back(model, clip, tmp_path / "b.mp4")
    before, after = read_clip(clip)[0], read_clip(tmp_path / "b.mp4")[0]
    assert (after.colorspace, after.color_primaries, after.color_trc) == (
        before.colorspace, before.color_primaries, before.color_trc)  # fmt: skip
    assert after.color_range == (before.color_range or 0)
    for plane_before, plane_after in zip(planes(before), planes(after), strict=True):
        assert np.abs(plane_before - plane_after).max() <= 2  # 8 bits of RGB are coarser than those of YUV


def planes(frame) -> list[np.ndarray]:
    """As they are stored, where neither the encoder nor the halved colours of a block's edge count."""
    range_ = 2 if frame.color_range == 2 else 1
    whole = frame.reformat(format="yuv444p", src_color_range=range_, dst_color_range=range_).to_ndarray().astype(int)
    inner = np.arange(128) % 16
    rows, columns = (np.flatnonzero((inner[:side] >= 6) & (inner[:side] < 10)) for side in whole.shape[1:])
    return list(whole[:, rows][:, :, columns])


def test_known_colours_reach_the_network_as_they_are(tmp_path, model, monkeypatch):
    seen = []
    monkeypatch.setattr(stylize, "finish", lambda photo, painting, **_: seen.append(photo) or photo)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40]], np.uint8)
    picture = colours.reshape(1, 6, 3).repeat(32, axis=0).repeat(16, axis=1)
    for tags in [(1, 1, 1, 1), (2, 1, 1, 1), (1, 5, 5, 6), (2, 9, 9, 14)]:
        clip = write_clip(tmp_path / "a.mkv", [picture], codec="ffv1", pix_fmt="yuv420p", tags=tags, options={})
        stylize_video(model, clip, tmp_path / "b.mkv", force=True)
        middles = (seen.pop()[0, :, 16, 8::16].T * 255).round().numpy()
        assert np.abs(middles - colours).max() <= 2, tags


def test_sound_is_copied_bit_by_bit(tmp_path, model):
    clip = write_clip(tmp_path / "a.mp4", 25, sound="aac")
    photos_back(model, clip, tmp_path / "b.mp4")
    assert packets(tmp_path / "b.mp4", "audio") == packets(clip, "audio")


def test_sound_that_the_container_does_not_take_is_encoded_anew(tmp_path, model):
    clip = write_clip(tmp_path / "a.mp4", 25, sound="aac")
    photos_back(model, clip, tmp_path / "b.webm")
    with av.open(str(tmp_path / "b.webm")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == "opus"
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(heard) == pytest.approx(48000, rel=0.06)
    assert np.abs(heard[4800:43200]).max() == pytest.approx(8000 / 32768, rel=0.15)


def test_subtitles_are_copied(tmp_path, model):
    clip = tmp_path / "a.mkv"
    (tmp_path / "a.srt").write_text("1\n00:00:00,200 --> 00:00:00,700\na line\n")
    parts = [str(write_clip(tmp_path / "plain.mkv", 25)), str(tmp_path / "a.srt")]
    with av.open(str(clip), "w") as container:
        sources = [av.open(part) for part in parts]
        streams = [container.add_stream_from_template(source.streams[0]) for source in sources]
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
            source.close()
    photos_back(model, clip, tmp_path / "b.mkv")
    assert packets(tmp_path / "b.mkv", "subtitle") == packets(clip, "subtitle") == [(0.2, b"a line")]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_times_of_frames_stay_where_the_rate_varies(tmp_path, model, suffix):
    times = [0, 40, 80, 280, 300, 340, 800]
    clip = write_clip(tmp_path / "a.mkv", 7, times=times)
    photos_back(model, clip, tmp_path / f"b{suffix}")
    after = [frame.time for frame in read_clip(tmp_path / f"b{suffix}")]
    assert after == pytest.approx([time / 1000 for time in times], abs=0.001)


@pytest.mark.parametrize("rate", [25, 24, Fraction(30000, 1001), Fraction(60)])
def test_rate_and_duration_stay(tmp_path, model, rate):
    clip = write_clip(tmp_path / "a.mp4", 12, rate=rate)
    photos_back(model, clip, tmp_path / "b.mp4")
    with av.open(str(clip)) as before, av.open(str(tmp_path / "b.mp4")) as after:
        assert after.streams.video[0].average_rate == before.streams.video[0].average_rate == rate
        assert after.duration == pytest.approx(before.duration, abs=1000)


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_clip_held_sideways_is_painted_upright(tmp_path, model, turned):
    clip = write_clip(tmp_path / "a.mp4", 2, turned=turned, aspect=Fraction(4, 3))
    photos_back(model, clip, tmp_path / "b.mp4")
    frame = read_clip(tmp_path / "b.mp4")[0]
    assert frame.rotation == 0
    shown = np.rot90(pattern(0), round(turned / 90))  # FFmpeg's angle is counter-clockwise, as NumPy's
    assert frame.to_ndarray(format="rgb24").shape == shown.shape
    assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - shown).mean() < 6
    with av.open(str(tmp_path / "b.mp4")) as after:
        expected = Fraction(4, 3) if turned == 180 else Fraction(3, 4)
        assert after.streams.video[0].sample_aspect_ratio == expected


def test_odd_sizes_get_a_line_more_and_that_is_said(tmp_path, model, caplog):
    clip = write_clip(tmp_path / "a.mkv", 2, size=(51, 37), codec="ffv1", pix_fmt="bgr0", options={})
    photos_back(model, clip, tmp_path / "b.mp4")
    shown = read_clip(tmp_path / "b.mp4")[0].to_ndarray(format="rgb24")
    assert shown.shape == (38, 52, 3)
    assert np.abs(shown[:36, :50].astype(int) - pattern(0, (51, 37))[:36, :50]).mean() < 6
    assert any("51 x 37 px, and H.264 needs even sizes" in message for message in caplog.messages)


def test_ten_bits_are_painted_with_eight_and_that_is_said(tmp_path, model, caplog):
    caplog.set_level(logging.INFO)
    clip = write_clip(tmp_path / "a.mkv", 2, codec="ffv1", pix_fmt="yuv420p10le", options={})
    photos_back(model, clip, tmp_path / "b.mp4")
    shown = read_clip(tmp_path / "b.mp4")[0]
    assert shown.format.name == "yuv420p"
    assert np.abs(shown.to_ndarray(format="rgb24").astype(int) - pattern(0)).mean() < 6
    assert sum("10 bits a colour: painted and written with 8" in message for message in caplog.messages) == 1


def test_brush_moves_in_equal_steps_of_octaves_to_the_last_frame(tmp_path, model, monkeypatch):
    used = []
    monkeypatch.setattr(
        stylize.SteadyPainter, "__call__", lambda self, photos, stroke, *_, **__: used.append(stroke) or photos
    )
    stylize_video(model, write_clip(tmp_path / "a.mp4", 9), tmp_path / "b.mp4", stroke_from=0.5, stroke_to=2)
    assert used == pytest.approx([0.5 * 2 ** (number / 4) for number in range(9)], rel=1e-3)


def test_stroke_map_and_style_are_as_for_pictures(tmp_path, make_model, save_photo):
    model = make_model(styles=2)
    map_path = save_photo(tmp_path / "map.png", (64, 48), mode="L")
    clip = write_clip(tmp_path / "a.mkv", 1, codec="ffv1", pix_fmt="bgr0", options={})
    finishing = {"preserve_colour": "luminance", "strength": 0.8}
    options = {"style": {"painting-0": 0.4, "painting-1": 0.6}, "steady": False, "crf": 0, **finishing}
    stylize_video(model, clip, tmp_path / "b.mkv", stroke_map=map_path, map_range=(0.6, 1.7), **options)
    photo = images.to_float(torch.from_numpy(pattern(0)).permute(2, 0, 1))[None]
    stroke = 0.6 * (1.7 / 0.6) ** images.read_grey(map_path)
    expected = finish(photo, model(photo, stroke, style=options["style"]), **finishing)
    painted = images.to_float(torch.from_numpy(read_clip(tmp_path / "b.mkv")[0].to_ndarray(format="rgb24")))
    assert (images.resize(painted.permute(2, 0, 1)[None], 24, 32) - images.resize(expected, 24, 32)).abs().mean() < 0.01


def test_batch_gives_the_frames_of_one_by_one(tmp_path, model, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", 7)
    stylize_video(model, clip, tmp_path / "one.mp4", crf=0)
    monkeypatch.setattr(stylize, "_frames_at_once", lambda *_, **__: 3)
    report = stylize_video(model, clip, tmp_path / "three.mp4", crf=0)
    assert report.frames == 7
    for one, three in zip(read_clip(tmp_path / "one.mp4"), read_clip(tmp_path / "three.mp4"), strict=True):
        assert np.abs(one.to_ndarray().astype(int) - three.to_ndarray()).max() <= 2


def test_progress_counts_frames(tmp_path, model):
    shown = []
    clip = write_clip(tmp_path / "a.mp4", 4)
    stylize_video(model, clip, tmp_path / "b.mp4", progress=lambda *args: shown.append(args))
    assert shown == [(1, 4, clip), (2, 4, clip), (3, 4, clip), (4, 5, clip)]


def test_folder_gets_the_clips_name_or_mkv_where_that_cannot_be_written(tmp_path, model):
    assert photos_back(model, write_clip(tmp_path / "a.mp4", 1), tmp_path / "out").written == tmp_path / "out" / "a.mp4"
    old = write_clip(tmp_path / "b.avi", 3, codec="mpeg4", options={})
    assert photos_back(model, old, tmp_path / "out").written == tmp_path / "out" / "b.mkv"
    assert len(read_clip(tmp_path / "out" / "b.mkv")) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 2}, r"--strength must be .* got 2"),
        ({"preserve_colour": "hue"}, r"--preserve-colour must be .* got 'hue'"),
        ({"crf": 60}, r"--crf must be from 0 \(best\) to 51 with libx264, got 60"),
        ({"stroke": 9, "strict": True}, r"stroke 9 is outside the trained range"),
        ({"stroke_from": 9, "strict": True}, r"stroke 9 is outside the trained range"),
        ({"stroke": 1, "stroke_to": 2}, r"--stroke-from and --stroke-to move the brush, --stroke 1 holds it"),
        ({"style": "x"}, r"style must be one of painting-0, got 'x'"),
        ({"device": "cuda:77"}, r"--device cuda:77 is not on this machine"),
        ({"map_range": (1, 2)}, r"--map-range 1,2 needs a --stroke-map"),
    ],
)
def test_wrong_request_is_refused_before_anything_is_written(tmp_path, model, options, message):
    clip = write_clip(tmp_path / "a.mp4", 1)
    with pytest.raises(UserError, match=message):
        stylize_video(model, clip, tmp_path / "b.mp4", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


def test_map_of_another_shape_is_refused(tmp_path, model, save_photo):
    map_path = save_photo(tmp_path / "map.png", (20, 48), mode="L")
    with pytest.raises(UserError, match=r"--stroke-map .*map\.png is 20 x 48 px, .*a\.mp4 64 x 48; .*aspect ratio"):
        stylize_video(model, write_clip(tmp_path / "a.mp4", 1), tmp_path / "b.mp4", stroke_map=map_path)
    assert not (tmp_path / "b.mp4").exists()


def test_frames_too_large_for_the_memory_are_said_and_leave_nothing(tmp_path, model, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model.net, "paint_with_moments", full)
    with pytest.raises(BrushnetError, match=r"a\.mp4: too large for the memory of cpu"):
        stylize_video(model, write_clip(tmp_path / "a.mp4", 1), tmp_path / "b.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


def test_title_place_and_chapters_stay_unless_they_are_to_go(tmp_path, model):
    with av.open(str(write_clip(tmp_path / "plain.mp4", 25))) as source, av.open(str(tmp_path / "a.mp4"), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        made.metadata.update({"title": "a walk", "location": PLACE})
        chapter = {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
        made.set_chapters([chapter])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    photos_back(model, tmp_path / "a.mp4", tmp_path / "kept.mp4")
    photos_back(model, tmp_path / "a.mp4", tmp_path / "gone.mp4", strip_metadata=True)
    with av.open(str(tmp_path / "kept.mp4")) as kept, av.open(str(tmp_path / "gone.mp4")) as gone:
        assert kept.metadata["title"] == "a walk"
        assert kept.metadata["location"] == PLACE
        assert [chapter["metadata"]["title"] for chapter in kept.chapters()] == ["one"]
        assert not {"title", "location"} & set(gone.metadata)
        assert not gone.chapters()
