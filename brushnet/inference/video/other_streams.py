"""Sound and subtitles: copied as they are, or in another codec where the container does not take theirs."""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from brushnet.inference.video.clip import Clip

if TYPE_CHECKING:  # an extra
    import av

    OtherStream = av.AudioStream | av.subtitles.stream.SubtitleStream

log = logging.getLogger(__name__)

_OPUS_HZ = 48000  # of the usual rates the only one that it takes


class Route(Protocol):
    """From a packet of the clip to packets of the painted clip."""

    def packets(self, packet: "av.Packet") -> "list[av.Packet]": ...

    def rest(self) -> "list[av.Packet]": ...


class Copied:
    def __init__(self, stream: "av.stream.Stream"):
        self.stream = stream

    def packets(self, packet: "av.Packet") -> "list[av.Packet]":
        packet.stream = self.stream
        return [packet]

    def rest(self) -> "list[av.Packet]":
        return []


class Recoded:
    def __init__(self, stream: "av.AudioStream", of: "av.AudioStream"):
        self.stream, self.of = stream, of

    def packets(self, packet: "av.Packet | None") -> "list[av.Packet]":
        import av

        with suppress(av.error.FFmpegError):  # a click; it is the pictures that count
            return [made for frame in self.of.decode(packet) for made in self.stream.encode(frame)]
        return []

    def rest(self) -> "list[av.Packet]":
        with suppress(EOFError):
            return [*self.packets(None), *self.stream.encode(None)]
        return []


def others(container: "av.container.OutputContainer", clip: Clip) -> dict[int, Route]:
    """By the number of the clip's stream. What can go no way is left out with a warning."""
    routes: dict[int, Route] = {}
    for stream in clip.others:
        route = _route(container, stream)
        if route is None:
            log.warning("%s: %s of codec %s cannot go into %s: left out",
                        clip.path, stream.type, _codec(stream), container.format.name)  # fmt: skip
        else:
            routes[stream.index] = route
    return routes


def _route(container: "av.container.OutputContainer", stream: "OtherStream") -> Route | None:
    import av

    name = _codec(stream)
    if isinstance(stream, av.AudioStream) and name is not None and not stream.codec_context.sample_rate:
        return None  # cut off before its first sound: no container takes it
    if name in container.supported_codecs:
        return Copied(container.add_stream_from_template(stream))
    if not isinstance(stream, av.AudioStream) or name is None:
        return None
    codec = container.default_audio_codec
    rate = _OPUS_HZ if codec in ("opus", "libopus") else stream.codec_context.sample_rate
    made = container.add_stream("libopus" if codec == "opus" else codec, rate=rate)
    assert isinstance(made, av.AudioStream)
    made.codec_context.layout = stream.codec_context.layout
    return Recoded(made, stream)


def _codec(stream: "OtherStream") -> str | None:
    """The codec's own name: mp3, where FFmpeg's decoder is called mp3float. None where FFmpeg knows none."""
    return stream.codec_context.codec.canonical_name if stream.codec_context else None
