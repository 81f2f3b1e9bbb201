"""`brushnet measure`: the stroke width of any picture, and its stroke scale against a painting."""

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet import samples
from brushnet.commands.parser import Parser, positive_int
from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable
from brushnet.errors import BrushnetError, UserError

if TYPE_CHECKING:  # torch, seconds
    from brushnet.measure.meters import Meter
    from brushnet.measure.reading import Reading

REFERENCE_PX = 256  # as style.reference_px
HEADINGS = ("PICTURE", "STROKE", "OVER THE PICTURE", "DETAIL AT 1, 2, 4, ... PX")
NOTHING = "nothing to measure"
SHOWN_CHARS = 40  # of a file name

_EPILOG = """STROKE is the width of the strokes, OVER THE PICTURE what most parts of it have, DETAIL how much of the
energy is in structures 1 to 2 px wide, 2 to 4 px, and so on. With --style, SCALE is how large the strokes are beside
those of the painting P shrunk to a short side of --reference-px, with a 95 % confidence. Where a width is
"unclear" it hardly stands out from others, as in most old paintings, and may be that of what is depicted.

brushnet measure painted.jpg photos
brushnet measure painted.jpg --style painting.jpg --json"""


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = _EPILOG
    parser.add_argument("pictures", nargs="+", metavar="IMAGE", help="pictures and folders, or sample:NAME")
    parser.add_argument("--style", metavar="P", help="the painting to compare with, or sample:NAME")
    parser.add_argument("--reference-px", type=positive_int, metavar="PX",
                        help=f"short side of the painting at stroke scale 1 ({REFERENCE_PX})")  # fmt: skip
    parser.add_argument("--encoder", action="append", metavar="NAME|FILE",
                        help="what compares with the painting: steerable (filters), compact, vgg19, vgg16 or a file; "
                             "may be given again, the first one counts")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="everything about each, to standard output")


def run(args: argparse.Namespace) -> int:
    for option, value in (("--reference-px", args.reference_px), ("--encoder", args.encoder)):
        if value is not None and args.style is None:
            raise UserError(f"{option} needs --style: without a painting there is nothing to compare with")
    style = samples.resolve(args.style) if args.style is not None else None
    if style is not None and not style.is_file():
        raise UserError(f"--style {style}: no such picture")
    inputs = [samples.resolve(text) for text in args.pictures]
    for path in inputs:
        if not path.exists():
            raise UserError(f"input not found: {path}; give pictures or folders")
    from brushnet.measure.reading import as_entry, read  # torch, seconds

    files = _files(inputs)
    meters = _meters(style, args.reference_px or REFERENCE_PX, args.encoder) if style is not None else []
    readings = []
    with Progress("pictures") as progress:
        for number, file in enumerate(files, start=1):
            readings.append(read(file, meters))
            progress.show(number, len(files), str(file))
    failed = [reading for reading in readings if reading.failure]
    if args.json:
        print(json.dumps([as_entry(reading) for reading in readings], indent=2))
    else:
        for line in _table([reading for reading in readings if not reading.failure]):
            print(line)
    if failed:
        print(f"{len(failed)} failed:", file=sys.stderr)
    for each in failed:
        print(printable(f"{each.file}: {each.failure}"), file=sys.stderr)
    return BrushnetError.exit_code if failed else 0


def _files(inputs: Sequence[Path]) -> list[Path]:
    """Each picture once, folders in the order of their paths."""
    from brushnet import images

    found: dict[str, Path] = {}
    for path in inputs:
        listed = images.list_images(path) if path.is_dir() else [path]
        if not listed:
            raise UserError(f"{path}: no pictures in this folder (looked for {', '.join(images.SUFFIXES)})")
        for file in listed:
            found.setdefault(os.path.realpath(file), file)  # resolve() fails for a link that leads to itself
    return list(found.values())


def _meters(style: Path, reference_px: int, encoders: Sequence[str] | None) -> list["Meter"]:
    from brushnet import images
    from brushnet.measure.meters import DEFAULT_ENCODER, open_meters
    from brushnet.strokes import Painting

    try:
        pixels = images.read_uint8(style)
    except images.ImageError as error:
        raise UserError(f"--style {style} cannot be read: {error}") from error
    painting = Painting(pixels, name=f"--style {style}", reference_px=reference_px)
    return open_meters(encoders or [DEFAULT_ENCODER], painting)


def _table(readings: Sequence["Reading"]) -> list[str]:
    """Lines of aligned columns, the headings first; nothing for no pictures."""
    if not readings:
        return []
    headings = (*HEADINGS, "SCALE") if any(reading.scales for reading in readings) else HEADINGS
    rows = [headings, *(_row(reading)[: len(headings)] for reading in readings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(reading: "Reading") -> tuple[str, ...]:
    width, name = reading.width, printable(str(reading.file))
    assert width is not None
    known = not width.reason
    return (
        name if len(name) <= SHOWN_CHARS else f"...{name[3 - SHOWN_CHARS :]}",
        f"{width.stroke_px:.1f} px{'' if width.clear else ', unclear'}" if known else NOTHING,
        f"{width.spread_px[0]:.1f} to {width.spread_px[1]:.1f} px" if known else width.reason,
        " ".join(f"{100 * share:.0f}" for share in width.octave_profile) + " %" if width.octave_profile else "-",
        _scale(reading),
    )


def _scale(reading: "Reading") -> str:
    scale = reading.scale
    if math.isnan(scale.octaves) or scale.confidence is None:
        return NOTHING
    low, high = scale.confidence
    told = f"{2**scale.octaves:.3g}, {scale.octaves:+.2f} octave"
    if math.isinf(low) or math.isinf(high):
        return (
            f"at most {2**high:.3g}, {high:+.2f} octave"
            if math.isinf(low)
            else f"at least {2**low:.3g}, {low:+.2f} octave"
        )
    return f"{told} ({low:+.2f} to {high:+.2f})"
