"""The video file that is written: painted frames, and the sound and subtitles of the clip as they are.

Under a temporary name, renamed when it is whole: nobody ever sees half a video.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brushnet.errors import BrushnetError
from brushnet.files import written_whole
from brushnet.inference.video.clip import Clip, Frame
from brushnet.inference.video.formats import Format
from brushnet.inference.video.other_streams import others
from brushnet.inference.video.pixels import even, from_rgb

if TYPE_CHECKING:  # an extra
    import av

log = logging.getLogger(__name__)

PIXEL_FORMAT = "yuv420p"  # what every player shows
_NOT_KEPT = ("encoder", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "DURATION",
             "NUMBER_OF_BYTES", "NUMBER_OF_FRAMES", "BPS")  # fmt: skip  # of the old file, wrong of the new one


class PaintedClip:
    """`add` frames and packets in the order they come in."""

    def __init__(
        self, container: "av.container.OutputContainer", clip: Clip, format_: Format, *, crf: int, metadata: bool
    ):
        self.container, self.clip = container, clip
        if metadata:
            container.metadata.update(_kept(clip.container.metadata))
            container.set_chapters(clip.container.chapters())
        self.stream = self._video_stream(format_, crf)
        self.durations: dict[int, int] = {}
        self.refused = 0
        self.others = others(container, clip)

    def add_frame(self, rgb_HW3: np.ndarray, like: Frame) -> None:
        """With the time of `like`."""
        info = self.clip.info
        frame = from_rgb(self._fitted(rgb_HW3), info.colours, PIXEL_FORMAT)
        frame.pts, frame.time_base = like.pts, info.time_base
        self.durations[like.pts] = like.duration
        self._mux(self.stream.encode(frame))

    def add_packet(self, packet: "av.Packet") -> None:
        import av

        if packet.stream.index not in self.others:
            return
        try:
            self.container.mux(self.others[packet.stream.index].packets(packet))
        except (av.error.InvalidDataError, av.error.ArgumentError):  # damaged, or its time runs backwards
            self.refused += 1

    def finish(self) -> None:
        self._mux(self.stream.encode(None))
        for route in self.others.values():
            self.container.mux(route.rest())
        if self.refused:
            self.clip.problems.append(f"{self.refused} damaged pieces of sound or subtitles left out")

    def _mux(self, packets: "list[av.Packet]") -> None:
        for packet in packets:
            packet.duration = self.durations.pop(packet.pts or 0, 0)  # which encoders forget
            self.container.mux(packet)

    def _fitted(self, rgb_HW3: np.ndarray) -> np.ndarray:
        return even(rgb_HW3) if rgb_HW3.shape[:2] != (self.stream.height, self.stream.width) else rgb_HW3

    def _video_stream(self, format_: Format, crf: int) -> "av.VideoStream":
        import av

        info, codec = self.clip.info, format_.codec
        stream = self.container.add_stream(codec.encoder, rate=info.rate, options={**codec.options, "crf": str(crf)})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, PIXEL_FORMAT
        if codec.even_sizes:
            stream.width, stream.height = info.width + info.width % 2, info.height + info.height % 2
        if (stream.width, stream.height) != (info.width, info.height):
            log.warning("%s: %d x %d px, and H.264 needs even sizes: the last column or row is written twice",
                        self.clip.path, info.width, info.height)  # fmt: skip
        context = stream.codec_context
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = info.pixel_aspect
        context.color_range, context.colorspace = info.colours.range, info.colours.matrix
        context.color_primaries, context.color_trc = info.colours.primaries, info.colours.transfer
        context.thread_type = "AUTO"
        return stream


@contextmanager
def open_painted(out: Path, clip: Clip, format_: Format, *, crf: int, metadata: bool = True) -> Iterator[PaintedClip]:
    """With `metadata` title, time, place and chapters stay. BrushnetError where the disk is full or fails.

    Whatever ends it before its end, nothing is left behind.
    """
    import av

    try:
        with (
            written_whole(Path(os.path.abspath(out))) as partial,  # FFmpeg takes "a:b.mp4" for an address
            av.open(str(partial), "w", format=format_.muxer, options=format_.options) as container,
        ):
            painted = PaintedClip(container, clip, format_, crf=crf, metadata=metadata)
            yield painted
            painted.finish()
    except (av.error.FFmpegError, OSError) as error:
        raise BrushnetError(f"cannot write {out}: {getattr(error, 'strerror', None) or error}") from error


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if not key.startswith(_NOT_KEPT)}
