"""`brushnet stylize`: paint files and folders with a trained model."""

import argparse
import logging
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from brushnet import files
from brushnet.commands import stylize_video
from brushnet.commands.parser import Parser, positive_int, quality
from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable
from brushnet.errors import Stopped, UserError
from brushnet.inference.finish import parse_colour, parse_strength
from brushnet.inference.large.memory import DEFAULT_BYTES, parse_memory
from brushnet.inference.video.formats import is_video
from brushnet.stop_signals import AT_ONCE_WHEN_REPEATED, Handler, ending, handled_by
from brushnet.style_mix import parse_mix

if TYPE_CHECKING:  # torch, seconds
    from brushnet.inference.stylize import StylizeReport


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="a .safetensors, a .ckpt, a run folder, or an embedded name")
    parser.add_argument("inputs", nargs="+", metavar="INPUT",
                        help="pictures, folders, patterns in quotes ('photos/**/*.jpg'), sample:photos, or - for "
                        "standard input; or videos")  # fmt: skip
    parser.add_argument("-o", "--output", required=True, metavar="OUT",
                        help="a picture (by its suffix, for one input and one scale), a folder, where what is there is "
                        "skipped, or - for standard output")  # fmt: skip
    scales = parser.add_mutually_exclusive_group()
    scales.add_argument("--stroke", metavar="S", help="stroke scale; 2 paints strokes twice as large as 1")
    scales.add_argument("--strokes", metavar="S,S,...", help="several scales: one picture each and a contact sheet")
    scales.add_argument("--stroke-map", metavar="MAP",
                        help="grey picture of the photo's shape: black the smallest stroke, white the largest, octaves "
                        "linear between; 8 or 16 bits; of colours the luma counts, transparency does not")  # fmt: skip
    parser.add_argument("--map-range", metavar="S,S",
                        help="stroke scales of the map's black and white; default: the trained range's")  # fmt: skip
    scales.add_argument("--stroke-per-side", metavar="F",
                        help="the same look at every resolution: 1 paints strokes as large beside the picture's short "
                        "side as they are beside the painting's own; where they are beyond the trained range it is "
                        "painted at another size and brought back")  # fmt: skip
    parser.add_argument("--strength", type=parse_strength, default=1.0, metavar="W",
                        help="0 the photo, 1 the painting (default), up to 1.5: strokes of more contrast; between 0 "
                        "and 1 strokes come before colours; their size stays")  # fmt: skip
    parser.add_argument("--preserve-colour", "--preserve-color", type=parse_colour, nargs="?", const="luminance",
                        metavar="WAY",
                        help="paint in the photo's colours. luminance (default): each place keeps its colour, strokes "
                        "that differ in colour alone vanish; histogram: the painting's colours are moved to the "
                        "photo's, all strokes stay, but a thing may change colour. Done before --strength")  # fmt: skip
    paintings = parser.add_mutually_exclusive_group()
    paintings.add_argument("--style", metavar="NAME", help="of a model with several paintings; default: the first")
    paintings.add_argument("--mix", metavar="A=W,B=W", help="a mixture of its paintings, e.g. a=0.3,b=0.7")
    parser.add_argument("--strict", action="store_true", help="refuse scales outside the trained range")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--quality", type=quality, default=95, metavar="Q", help="of JPEG and WebP, 1 to 100 (95)")
    parser.add_argument("--format", choices=("png", "jpg", "webp", "tiff"), metavar="KIND",
                        help="of all pictures: png, jpg, webp or tiff; default: by the suffix, or as the "
                        "photo")  # fmt: skip
    parser.add_argument("--bits", choices=("auto", "8", "16"), default="auto", metavar="N",
                        help="of a channel in PNG and TIFF: 8, 16 or auto, as the photo (default)")  # fmt: skip
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="keep neither EXIF (place and time among it) nor colour profile nor XMP of the photo",
    )
    parser.add_argument("--jobs", type=jobs, metavar="N",
                        help="pictures in hand at a time: one is painted while others are read and written (default: "
                        "auto); the pictures are the same")  # fmt: skip
    parser.add_argument("--max-memory", type=parse_memory, default=DEFAULT_BYTES, metavar="SIZE",
                        help="2GB, 1.5GiB ... (default: 3GB): pictures that would take more are painted in bands, with "
                        "norm statistics of the whole picture; on a GPU its own memory decides")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite pictures of an earlier run")
    stylize_video.add_arguments(parser)


def jobs(text: str) -> int | None:
    return None if text == "auto" else positive_int(text)


def run(args: argparse.Namespace) -> int:
    from brushnet.inference.scales import parse_per_side, parse_range, parse_stroke, parse_strokes

    strokes = [parse_stroke(args.stroke)] if args.stroke is not None else []
    strokes += parse_strokes(args.strokes) if args.strokes is not None else []
    per_side = parse_per_side(args.stroke_per_side) if args.stroke_per_side is not None else None
    map_range = parse_range(args.map_range) if args.map_range is not None else None
    if map_range and args.stroke_map is None:
        raise UserError(f"--map-range {args.map_range} needs a --stroke-map")
    options: dict[str, Any] = {
        "stroke_map": args.stroke_map,
        "map_range": map_range,
        "strength": args.strength,
        "preserve_colour": args.preserve_colour,
        "style": parse_mix(args.mix) if args.mix is not None else args.style,
        "device": args.device,
        "strict": args.strict,
        "strip_metadata": args.strip_metadata,
    }
    logging.basicConfig(format="brushnet: %(message)s", level=logging.INFO, stream=sys.stderr)
    clips = [Path(each) for each in args.inputs if is_video(each)]
    if not clips:
        stylize_video.refuse_without_video(args)
        stylize_video.tell_of_left_out(args.inputs)
        return _paint_pictures(args, options | {"strokes": strokes, "stroke_per_side": per_side})
    if len(clips) < len(args.inputs):
        raise UserError("videos and pictures take one call each")
    options |= stylize_video.check(args) | {"stroke": strokes[0] if strokes else None}
    stop = threading.Event()
    with handled_by(_asks(stop)):
        return stylize_video.paint(clips, args, options, stop)


def _paint_pictures(args: argparse.Namespace, options: dict[str, Any]) -> int:
    """`options` are those that pictures share with videos, and the stroke scales."""
    with ending():
        from brushnet.inference.stylize import StylizeReport, stylize_files  # torch, seconds

    report, stop = StylizeReport(), threading.Event()
    try:
        with Progress("pictures") as progress, handled_by(_asks(stop)):
            stylize_files(
                args.model,
                args.inputs,
                args.output,
                **options,
                force=args.force,
                quality=args.quality,
                picture_format=args.format,
                bits=None if args.bits == "auto" else int(args.bits),
                jobs=args.jobs,
                max_memory_bytes=args.max_memory,
                progress=lambda done, total, photo: progress.show(done, total, _detail(report, photo)),
                report=report,
                stop=stop,
            )
    finally:  # Ctrl-C and a full disk too, after hours perhaps
        if report.written or report.failed or report.skipped:
            for line in report.lines():
                print(printable(line), file=sys.stderr)
    return report.exit_code


def _asks(stop: threading.Event) -> Handler:
    """At the first signal what is in hand comes to a good end, which takes a moment; a second ends at once."""

    def heard(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number in AT_ONCE_WHEN_REPEATED:
            files.remove_in_hand()
            os.write(2, b"brushnet: stopped\n")
            os._exit(Stopped.exit_code)
        stop.set()

    return heard


def _detail(report: "StylizeReport", photo: Path) -> str:
    return f"{len(report.failed)} failed, {photo}" if report.failed else str(photo)
