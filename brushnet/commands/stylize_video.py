"""Options of `brushnet stylize` for videos, and what they ask for."""

import argparse
import math
from typing import Any

from brushnet.errors import UserError
from brushnet.inference.video.formats import INSTALL

_OPTIONS = ("stroke_from", "stroke_to", "crf", "no_steady")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "videos",
        f"A clip is painted frame by frame; its sound, times, colours and turn stay. -o takes .mp4, .m4v, .mov and "
        f".mkv (H.264) and .webm (VP9), or a folder. Needs PyAV: {INSTALL}; its FFmpeg brings x264, which is GPL.",
    )
    group.add_argument("--stroke-from", metavar="S", help="the brush moves from this scale, at the clip's first frame")
    group.add_argument("--stroke-to", metavar="S", help="to this one at its last, in equal steps of octaves")
    group.add_argument("--crf", type=int, metavar="Q",
                       help="quality of the encoder, 0 the best: H.264 up to 51 (17), VP9 up to 63 (24)")  # fmt: skip
    group.add_argument("--no-steady", action="store_true",
                       help="paint each frame as a picture of its own: it flickers more")  # fmt: skip


def options(args: argparse.Namespace) -> dict[str, Any]:
    """For `stylize_video`, of what `add_arguments` added. UserError names the option, the value and what is allowed."""
    ends = {name: _scale(name, getattr(args, name)) for name in ("stroke_from", "stroke_to")}
    return {**ends, "crf": args.crf, "steady": not args.no_steady}


def refuse_without_video(args: argparse.Namespace) -> None:
    """UserError where an option for videos is given, but no video is."""
    for name in _OPTIONS:
        if getattr(args, name) not in (None, False):
            raise UserError(f"{_option(name)} is for videos; no INPUT is one")


def _scale(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise UserError(f"{_option(name)} must be a number above 0, got {text!r}")
    return scale


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
