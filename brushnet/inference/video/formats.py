"""Which files are videos, which can be written, and with which codec. Without torch and PyAV."""

from pathlib import Path
from typing import NamedTuple

from brushnet.errors import UserError

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp",
                  ".wmv", ".flv", ".ogv")  # fmt: skip
INSTALL = "pip install 'brushnet[video]'"


class Codec(NamedTuple):
    """`crf` is the codec's own quality scale, 0 the best; `options` are those of FFmpeg's encoder."""

    encoder: str
    crf: int
    most_crf: int
    even_sizes: bool  # it takes no odd width or height with the usual chroma of half the resolution
    options: dict[str, str]


class Format(NamedTuple):
    muxer: str
    codec: Codec
    options: dict[str, str]


# crf: no difference to the pictures is seen, and strokes are what a low quality loses first.
_H264 = Codec("libx264", 17, 51, True, {"preset": "medium"})
_VP9 = Codec("libvpx-vp9", 24, 63, False, {"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0"})
_WEB = {"movflags": "+faststart"}  # the index comes first: a browser plays before it has all

WRITABLE = {
    ".mp4": Format("mp4", _H264, _WEB),
    ".m4v": Format("mp4", _H264, _WEB),
    ".mov": Format("mov", _H264, _WEB),
    ".mkv": Format("matroska", _H264, {}),
    ".webm": Format("webm", _VP9, {}),
}


def is_video(path: str | Path) -> bool:
    """By its suffix, as whether a picture is one."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def format_of(out: Path) -> Format:
    """How a file of this name is written. UserError names what can be."""
    suffix = out.suffix.lower()
    if suffix not in WRITABLE:
        raise UserError(f"-o {out}: {suffix or 'no suffix'} cannot be written as video, allowed are {allowed()}")
    return WRITABLE[suffix]


def name_for(clip: Path) -> str:
    """Of the painted clip in a folder: the same, or .mkv, which takes any sound, where that cannot be written."""
    return clip.name if clip.suffix.lower() in WRITABLE else f"{clip.stem}.mkv"


def checked_crf(crf: int | None, codec: Codec) -> int:
    """The codec's own where none is asked for."""
    if crf is None:
        return codec.crf
    if not 0 <= crf <= codec.most_crf:
        raise UserError(f"--crf must be from 0 (best) to {codec.most_crf} with {codec.encoder}, got {crf}")
    return crf


def allowed() -> str:
    return ", ".join(WRITABLE)
