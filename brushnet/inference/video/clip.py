"""A video file that is read: upright RGB frames one after the other, and the packets of its other streams as they are.

Cameras' files are cut off: what can be decoded is, and `problems` says what could not.

Shape letters: H W frame size.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brushnet.errors import UserError
from brushnet.inference.video.clip_info import ClipInfo, look, turns
from brushnet.inference.video.opening import cause, opened, videos
from brushnet.inference.video.pixels import to_rgb

if TYPE_CHECKING:  # an extra
    import av

# By which the end may come before the one that the header names.
_CUT_OFF_S, _CUT_OFF_SHARE = 0.3, 0.02


@dataclass(frozen=True)
class Frame:
    """`rgb` is (H, W, 3) uint8; `pts` and `duration` are in the clip's time base."""

    rgb: np.ndarray
    pts: int
    duration: int


@dataclass
class Clip:
    """An open video."""

    path: Path
    container: "av.container.InputContainer"
    info: ClipInfo
    problems: list[str] = field(default_factory=list)

    @property
    def video(self) -> "av.VideoStream":
        return videos(self.container)[0]

    @property
    def others(self) -> list["av.AudioStream | av.subtitles.stream.SubtitleStream"]:
        """Sound and subtitles."""
        return [*self.container.streams.audio, *self.container.streams.subtitles]

    def read(self) -> "Iterator[Frame | av.Packet]":
        """In the order of the file; the times of frames grow, whatever the file says."""
        clock = _Clock(self.info)
        end_s = 0.0
        for frame, packet in self._decoded():
            if packet is not None:
                end_s = max(end_s, _end_s(packet))
                yield packet
            if frame is not None:
                made = Frame(_upright(frame, self.info), *clock.time_of(frame))
                end_s = max(end_s, float((made.pts + made.duration) * self.info.time_base))
                yield made
        self._compare_end(end_s)

    def _decoded(self) -> "Iterator[tuple[av.VideoFrame | None, av.Packet | None]]":
        """A frame or a packet of another stream."""
        damaged = 0
        for packet in self._packets():
            if packet is not None and packet.stream.index != self.video.index:
                if packet.dts is not None:
                    yield None, packet
                continue
            frames, whole = self._decode(packet)
            damaged += not whole
            for frame in frames:
                damaged += bool(frame.is_corrupt)
                yield frame, None
        if damaged:
            self.problems.append(f"{damaged} damaged frame{'' if damaged == 1 else 's'}")

    def _packets(self) -> "Iterator[av.Packet | None]":
        """None where the file breaks off: what the decoder still holds is to be asked for."""
        import av

        try:
            yield from self.container.demux(self.video, *self.others)
        except av.error.FFmpegError as error:
            self.problems.append(f"cut off or broken: {cause(error)}")
            yield None

    def _decode(self, packet: "av.Packet | None") -> "tuple[list[av.VideoFrame], bool]":
        """Frames, and whether the packet was whole."""
        import av

        try:
            return self.video.decode(packet), True
        except av.error.EOFError:  # flushed before
            return [], True
        except av.error.FFmpegError:
            return [], False

    def _compare_end(self, end_s: float) -> None:
        start_s = (self.container.start_time or 0) / 1_000_000
        duration = (self.container.duration or 0) / 1_000_000
        if not self.problems and start_s + duration - end_s > max(_CUT_OFF_S, _CUT_OFF_SHARE * duration):
            self.problems.append(f"cut off: it ends at {max(end_s - start_s, 0):.1f} s of {duration:.1f} s")


@contextmanager
def open_clip(path: Path) -> Iterator[Clip]:
    """UserError for what is no file; VideoError for what is no video, or has no frame that can be decoded."""
    if not path.is_file():
        raise UserError(f"{'a folder, not a video' if path.is_dir() else 'input not found'}: {path}")
    info = look(path)
    with opened(path) as container:
        videos(container)[0].thread_type = "AUTO"
        yield Clip(path, container, info)


def measured_duration_s(clip: Clip) -> float:
    """From the file's header, or else by a look at all its packets, which are not decoded."""
    if clip.info.duration_s > 0:
        return clip.info.duration_s
    import av

    times: list[int] = []
    with opened(clip.path) as container, suppress(av.error.FFmpegError):  # cut off: as far as it goes
        for packet in container.demux(videos(container)[0]):
            if packet.pts is not None:
                times.append(packet.pts)
    steps = max(times, default=0) - min(times, default=0) + clip.info.frame_steps
    return float(steps * clip.info.time_base)


class _Clock:
    """Times of frames as the file has them; made up where it has none or they do not grow: no encoder takes that."""

    def __init__(self, info: ClipInfo):
        self.steps = info.frame_steps
        self.last: int | None = None

    def time_of(self, frame: "av.VideoFrame") -> tuple[int, int]:
        """Start and duration."""
        pts = frame.pts
        if pts is None:
            pts = 0 if self.last is None else self.last + self.steps
        if self.last is not None:
            pts = max(pts, self.last + 1)
        self.last = pts
        return pts, frame.duration or self.steps


def _upright(frame: "av.VideoFrame", info: ClipInfo) -> np.ndarray:
    width, height = (info.height, info.width) if turns(frame) % 2 else (info.width, info.height)
    if (frame.width, frame.height) != (width, height):  # a broadcast may change it on the way
        frame = frame.reformat(width=width, height=height)
    return np.rot90(to_rgb(frame, info.colours), turns(frame))


def _end_s(packet: "av.Packet") -> float:
    return float(((packet.pts or 0) + (packet.duration or 0)) * Fraction(packet.time_base or 0))
