"""What is known of a clip before its first frame is painted."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet.inference.video.opening import VideoError, opened, videos
from brushnet.inference.video.pixels import Colours

if TYPE_CHECKING:  # an extra
    import av

MAX_PIXELS = 70_000_000  # of a frame: 8K has 33 million, and a header can claim anything
_RATE = Fraction(25)  # of what names none


@dataclass(frozen=True)
class ClipInfo:
    """Sizes are those of upright frames. `frames` and `duration_s` are estimates, 0 where nothing is known.

    `remarks`: what of the clip is not kept.
    """

    width: int
    height: int
    pixel_aspect: Fraction
    rate: Fraction
    time_base: Fraction
    duration_s: float
    frames: int
    colours: Colours
    remarks: list[str]

    @property
    def frame_steps(self) -> int:
        """Duration of a frame in the time base, where the file does not tell it."""
        return max(1, round(1 / (self.rate * self.time_base)))


def look(path: Path) -> ClipInfo:
    """Decodes the first frame: size, turn and colours may be told nowhere else. VideoError where there is none."""
    with opened(path) as container:
        stream = videos(container)[0]
        if stream.codec_context is None:
            raise VideoError(f"video of a codec that is not known: {path}")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            most = MAX_PIXELS // 1_000_000
            raise VideoError(f"frames of {width} x {height} px, more than {most} megapixels: {path}")
        frame = _first_frame(container, stream)
        if frame is None:
            raise VideoError(f"no frame of this video can be decoded: {path}")
        return _info(container, stream, frame)


def turns(frame: "av.VideoFrame") -> int:
    """Quarter turns, counter-clockwise, that set it upright."""
    return round(frame.rotation / 90) % 4


def _first_frame(container: "av.container.InputContainer", stream: "av.VideoStream") -> "av.VideoFrame | None":
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            frames = stream.decode(packet)
        except av.error.EOFError:
            return None
        except av.error.InvalidDataError:  # of a packet; the next may be whole
            continue
        except av.error.FFmpegError:
            return None
        if frames:
            return frames[0]
        if packet is None:
            return None


def _info(container: "av.container.InputContainer", stream: "av.VideoStream", frame: "av.VideoFrame") -> ClipInfo:
    time_base = Fraction(stream.time_base or Fraction(1, 1000))
    rate = Fraction(stream.average_rate or stream.guessed_rate or _RATE)
    seconds = float(stream.duration * time_base) if stream.duration else (container.duration or 0) / 1_000_000
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    width, height = frame.width, frame.height
    if turns(frame) % 2:
        width, height, aspect = height, width, 1 / aspect
    return ClipInfo(
        width=width,
        height=height,
        pixel_aspect=aspect,
        rate=rate,
        time_base=time_base,
        duration_s=max(0.0, seconds),
        frames=stream.frames or round(max(0.0, seconds) * rate),
        colours=Colours.of(frame),
        remarks=_remarks(frame),
    )


def _remarks(frame: "av.VideoFrame") -> list[str]:
    remarks = []
    bits = max(component.bits for component in frame.format.components)
    if bits > 8:
        remarks.append(f"{bits} bits a colour: painted and written with 8")
    if frame.interlaced_frame:
        remarks.append("interlaced: both fields are painted as one frame")
    return remarks
