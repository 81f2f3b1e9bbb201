"""How far the meter is off on pictures whose truth is known.

    python scripts/calibrate_meter.py width [--photos DIR] [--quick] [--json]

`width`: stroke width in px on the painter's brushes and on shapes that it did not paint, 3 to 48 px, pictures of 256 to
1024 px (a quarter of an hour on two cores; with --quick half a minute).
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch

from brushnet import images, samples
from brushnet.commands.progress import Progress
from brushnet.errors import BrushnetError
from brushnet.measure.calibration import Row, calibrate_width, known_pictures, summarise
from brushnet.measure.control import some_photos


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


def as_json(rows: list[Row]) -> str:
    """NaN and infinity are not JSON: null."""
    tables = {
        "rows": [{**row._asdict(), "error": row.error} for row in rows],
        "summary": [summary._asdict() for summary in summarise(rows)],
    }
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
