"""Clips made for the test: a pattern that moves, with or without sound."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")


def pattern(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """(H, W, 3) uint8: smooth, and another picture for each number."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    waves = [np.sin((columns + 2 * number) / 9), np.sin((rows + number) / 7), np.sin((rows + columns) / 11)]
    return np.stack([(wave + 1) * 110 + 10 for wave in waves], axis=-1).astype(np.uint8)


def write_clip(
    path: Path,
    frames: int | Sequence[np.ndarray] = 8,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int | Fraction = 25,
    times: Sequence[int] | None = None,
    sound: str = "",
    turned: int = 0,
    aspect: Fraction | None = None,
    tags: tuple[int, int, int, int] = (0, 2, 2, 2),
    options: dict[str, str] | None = None,
    fast_start: bool = False,
) -> Path:
    """`times` are in ms, `sound` is a codec, `tags` are range, matrix, primaries and transfer by H.273's numbers."""
    pictures = [pattern(number, size) for number in range(frames)] if isinstance(frames, int) else list(frames)
    with av.open(str(path), "w", options={"movflags": "+faststart"} if fast_start else {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {"qp": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = tags
        if aspect:
            context.sample_aspect_ratio = aspect
        if turned:
            stream.set_display_rotation(turned)
        if times:
            context.time_base = Fraction(1, 1000)
        voice = container.add_stream(sound, rate=48000) if sound else None
        if voice:
            voice.codec_context.layout = "stereo"
            container.mux(voice.encode(tone(len(pictures) / rate)))
        for number, picture in enumerate(pictures):
            frame = encoded(picture, pix_fmt, tags)
            frame.pts = times[number] if times else number
            frame.time_base = Fraction(1, 1000) if times else Fraction(1) / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice:
            container.mux(voice.encode(None))
    return path


def encoded(picture: np.ndarray, pix_fmt: str, tags: tuple[int, int, int, int]):
    """By a matrix and a range of our own choice, apart from how brushnet does it."""
    matrix = tags[1] if tags[1] in (1, 5, 6, 7, 9) else 6
    range_ = 2 if tags[0] == 2 else 1
    frame = av.VideoFrame.from_ndarray(picture, "rgb24")
    return frame.reformat(format=pix_fmt, dst_colorspace=matrix, src_color_range=2, dst_color_range=range_)


def tone(seconds: float):
    wave = (np.sin(np.arange(round(48000 * seconds)) / 20) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave.repeat(2)[None], "s16", "stereo")
    frame.sample_rate, frame.pts = 48000, 0
    return frame


def read_clip(path: Path):
    """Frames, decoded."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    """Time in s and content of each."""
    with av.open(str(path)) as container:
        found = container.demux([stream for stream in container.streams if stream.type == kind])
        return [(float(each.pts * each.time_base), bytes(each)) for each in found if each.size]
