"""Opens video files, which come from strangers, and says in one line what is wrong with one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet.errors import BrushnetError, UserError
from brushnet.inference.video.formats import INSTALL

if TYPE_CHECKING:  # an extra
    import av

_OLDEST = 18  # 15 and 16 tell no primaries, and 17 converts by no matrix but those of BT.601 and BT.709
# A playlist that is called .mp4 could have other files read, or addresses fetched.
_ONLY = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,h264,hevc,m4v",
}


class VideoError(BrushnetError):
    """A video that cannot be read; the message names it."""


def require_av() -> None:
    """UserError with what to install, where PyAV is not or is too old."""
    try:
        import av
    except ImportError:
        raise UserError(f"videos need PyAV, which is not installed: {INSTALL}") from None
    if int(av.__version__.split(".")[0]) < _OLDEST:
        raise UserError(f"videos need PyAV {_OLDEST} or newer, this is {av.__version__}: {INSTALL}")


@contextmanager
def opened(path: Path) -> "Iterator[av.container.InputContainer]":
    """VideoError for what has no moving picture."""
    require_av()
    import av

    try:
        container = av.open(os.path.abspath(path), options=dict(_ONLY), metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"no video, or a broken one: {path} ({cause(error)})") from error
    with container:
        if not videos(container):
            raise VideoError(f"no video in this file, only {_kinds(container)}: {path}")
        yield container


def videos(container: "av.container.InputContainer") -> list["av.VideoStream"]:
    """Without the cover of a song, which is a stream of one picture."""
    from av.stream import Disposition

    return [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]


def cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _kinds(container: "av.container.InputContainer") -> str:
    kinds = sorted({{"audio": "sound", "video": "a cover"}.get(each.type, each.type) for each in container.streams})
    return " and ".join(kinds) or "nothing"
