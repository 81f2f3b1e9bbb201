"""`brushnet stylize` for videos: its options, and what it says."""

import argparse
import logging
import math
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable
from brushnet.errors import UserError
from brushnet.inference.large.memory import DEFAULT_BYTES
from brushnet.inference.video.formats import INSTALL, is_video
from brushnet.inference.video.target import targets

log = logging.getLogger(__name__)

_OF_VIDEOS = ("stroke_from", "stroke_to", "crf", "no_steady")
_OF_PICTURES = {
    "strokes": None,
    "stroke_per_side": None,
    "format": None,
    "bits": "auto",
    "jobs": None,
    "max_memory": DEFAULT_BYTES,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "videos",
        "A clip is painted frame by frame; sound, subtitles, times, colour tags and shape of pixels stay. -o takes\n"
        ".mp4, .m4v, .mov and .mkv (H.264), .webm (VP9) or a folder. Needs PyAV, whose FFmpeg brings x264 (GPL):\n"
        f"{INSTALL}",
    )
    group.add_argument("--stroke-from", metavar="S", help="the brush moves from this scale, at the clip's first frame")
    group.add_argument("--stroke-to", metavar="S", help="to this one at its last, in equal steps of octaves")
    group.add_argument("--crf", type=int, metavar="Q",
                       help="quality of the encoder, 0 the best: H.264 up to 51 (17), VP9 up to 63 (24)")  # fmt: skip
    group.add_argument("--no-steady", action="store_true",
                       help="paint each frame as a picture of its own: it flickers more")  # fmt: skip


def refuse_without_video(args: argparse.Namespace) -> None:
    """UserError where an option for videos is given, but no video is."""
    for name in _OF_VIDEOS:
        if getattr(args, name) not in (None, False):
            raise UserError(f"{_option(name)} is for videos; no INPUT is one")


def tell_of_left_out(inputs: Sequence[str]) -> None:
    """Of folders only the pictures are painted."""
    for each in inputs:
        names = [name for _, _, names in os.walk(each) for name in names if is_video(name) and name[0] != "."]
        if names:
            count = f"{len(names)} video{'' if len(names) == 1 else 's'}"
            log.warning("%s: %s left out; to paint videos, name them one by one", each, count)


def check(args: argparse.Namespace) -> dict[str, Any]:
    """Options of `stylize_video` that `add_arguments` added. UserError too where one is for pictures only."""
    for name, default in _OF_PICTURES.items():
        if getattr(args, name, default) != default:
            raise UserError(f"{_option(name)} is for pictures, not for videos; leave it out")
    if args.output == "-" or "-" in args.inputs:
        raise UserError("a video is read from a file and written into one, not to standard output; give -o a name")
    ends = {name: _scale(name, getattr(args, name)) for name in ("stroke_from", "stroke_to")}
    return {**ends, "crf": args.crf, "steady": not args.no_steady}


def paint(clips: Sequence[Path], args: argparse.Namespace, options: dict[str, Any], stop: threading.Event) -> int:
    """One clip after the other; one that cannot be read does not stop the rest. Returns the exit code.

    `options` are all those of `stylize_video`.
    """
    from brushnet.inference.video.opening import VideoError, require_av
    from brushnet.inference.video.stylize import stylize_video  # torch, seconds
    from brushnet.models import load

    require_av()
    paths = targets(clips, Path(args.output), force=args.force)
    model = load(args.model, device=options.get("device", "auto"))
    code = 0
    for clip, path in zip(clips, paths, strict=True):
        with Progress("frames") as progress:
            try:
                report = stylize_video(
                    model,
                    clip,
                    path,
                    force=args.force,
                    stop=stop,
                    progress=lambda done, total, name: progress.show(done, total, str(name)),
                    **options,
                )
            except VideoError as error:
                if len(clips) == 1:
                    raise
                lines, failed = [str(error)], error.exit_code
            else:
                lines, failed = report.lines(), report.exit_code
        for line in lines:
            print(printable(line), file=sys.stderr)
        code = code or failed
    return code


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
