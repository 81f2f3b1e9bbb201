"""How far the meter is off on pictures whose truth is known.

    python scripts/calibrate_meter.py width [--photos DIR] [--quick] [--json]
    python scripts/calibrate_meter.py matched [--paintings DIR] [--encoder E] [--each N] [--photos DIR] [--json]

`width`: stroke width in px on the painter's brushes and on shapes that it did not paint, 3 to 48 px, pictures of 256 to
1024 px (a quarter of an hour on two cores; with --quick half a minute).
`matched`: stroke scale against a painting, in octaves, on rescaled paintings, parts of them, changed parts, and other
photos painted with the same strokes (about 5 s a painting).
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch

from brushnet import images, samples
from brushnet.commands.parser import positive_int
from brushnet.commands.progress import Progress
from brushnet.errors import BrushnetError
from brushnet.measure import matched_calibration
from brushnet.measure.calibration import Row, calibrate_width, known_pictures, summarise
from brushnet.measure.control import some_photos
from brushnet.measure.encoders import open_encoder
from brushnet.measure.matched_calibration import calibrate_matched
from brushnet.measure.meters import DEFAULT_ENCODER


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    try:
        print(arguments.run(arguments))
    except BrushnetError as error:
        print(f"calibrate_meter: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    add_width(commands.add_parser("width", help="stroke width in px"))
    add_matched(commands.add_parser("matched", help="stroke scale against a painting"))
    return parser.parse_args(argv)


def add_width(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=width)
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to paint; four of them (the samples)")
    parser.add_argument("--quick", action="store_true", help="few and small pictures")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")


def width(arguments: argparse.Namespace) -> str:
    folder = arguments.photos or samples.resolve("sample:photos")
    photos = {path.stem: images.read(path) for path in some_photos(folder, 4)}
    with Progress("pictures") as progress:
        rows = calibrate_width(list(known_pictures(photos, quick=arguments.quick)), progress=progress.show)
    return as_json(rows) if arguments.json else as_table(rows)


def add_matched(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=matched)
    parser.add_argument("--paintings", type=Path, metavar="DIR", help="paintings (the samples)")
    parser.add_argument("--encoder", default=DEFAULT_ENCODER, metavar="NAME|FILE", help="what measures (%(default)s)")
    parser.add_argument("--each", type=positive_int, default=3, help="pictures of each kind of a painting (3)")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to paint; six of them (the samples)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")


def matched(arguments: argparse.Namespace) -> str:
    texture = open_encoder(arguments.encoder)
    files = images.list_images(arguments.paintings or samples.resolve("sample:paintings"))
    photos = some_photos(arguments.photos or samples.resolve("sample:photos"), 6)
    with Progress("paintings") as progress:
        rows = calibrate_matched(
            {path.stem: images.read_uint8(path) for path in files},
            texture,
            photos=[images.read(path) for path in photos],
            each=arguments.each,
            progress=progress.show,
        )
    summaries = matched_calibration.summarise(rows)
    if arguments.json:
        return tables_as_json([{**row._asdict(), "error": row.error} for row in rows], summaries)
    lines = [
        f"{'pictures':14} {'number':>6} {'median':>8} {'mean':>8} {'worst':>8} {'within 0.15':>12} {'in interval':>12}"
    ]
    lines += [
        f"{each.kind:14} {each.pictures:6d} {each.median_error:8.3f} {each.mean_error:8.3f} {each.worst_error:8.3f} "
        f"{percent(each.within_015):>12} {percent(each.inside_confidence):>12}"
        for each in summaries
    ]
    return "\n".join(
        [*lines, "errors in octaves; in interval: share of pictures whose truth lies in the 95 % confidence"]
    )


def as_json(rows: list[Row]) -> str:
    return tables_as_json([{**row._asdict(), "error": row.error} for row in rows], summarise(rows))


def tables_as_json(rows: list[dict], summaries: list) -> str:
    """NaN and infinity are not JSON: null."""
    tables = {"rows": rows, "summary": [summary._asdict() for summary in summaries]}
    return json.dumps(json.loads(json.dumps(tables), parse_constant=lambda _: None), indent=2)


def as_table(rows: list[Row]) -> str:
    lines = [f"{'strokes':10} {'pictures':>8} {'median':>8} {'worst':>8} {'within 15 %':>12}"]
    lines += [
        f"{each.kind:10} {each.pictures:8d} {percent(each.median_error):>8} {percent(each.worst_error):>8} "
        f"{percent(each.within_tolerance):>12}"
        for each in summarise(rows)
    ]
    return "\n".join(lines)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if math.isfinite(share) else "nothing"


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(main())
