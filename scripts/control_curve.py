"""Control curve of a trained model: requested against measured stroke scale, in octaves.

    python scripts/control_curve.py MODEL --style PAINTING --content DIR --encoder FILE [--json]

FILE: SqueezeNet 1.1 in torchvision's key layout. The painting must be the one that the model was trained on.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

import brushnet
from brushnet import images
from brushnet.errors import BrushnetError
from brushnet.inference.scales import parse_strokes
from brushnet.measure.control import Row, Summary, control_curve, some_photos, summarise
from brushnet.measure.encoders import load_squeezenet
from brushnet.measure.matched import painting_statistics
from brushnet.strokes import Painting


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    try:
        rows, summary = measure(arguments)
    except BrushnetError as error:
        print(f"control_curve: error: {error}", file=sys.stderr)
        return error.exit_code
    print(as_json(rows, summary) if arguments.json else as_table(rows, summary))
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="model file, run folder or name")
    parser.add_argument("--style", type=Path, required=True, metavar="PAINTING")
    parser.add_argument("--content", type=Path, required=True, metavar="DIR", help="folder of photos")
    parser.add_argument("--encoder", type=Path, required=True, metavar="FILE", help="SqueezeNet 1.1 weights")
    parser.add_argument("--photos", type=int, default=5, help="how many photos of the folder (default 5)")
    parser.add_argument("--photo-px", type=int, default=320, help="short side of the photos (default 320)")
    parser.add_argument("--strokes", default="0.5,0.71,1,1.41,2", help="stroke scales (default 0.5,0.71,1,1.41,2)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser.parse_args(argv)


def measure(arguments: argparse.Namespace) -> tuple[list[Row], Summary]:
    strokes = parse_strokes(arguments.strokes)
    model = brushnet.load(arguments.model)
    painting = Painting.open(arguments.style, reference_px=model.reference_px)
    statistics = painting_statistics(painting, encode=load_squeezenet(arguments.encoder))
    photos = {
        file.relative_to(arguments.content).as_posix(): images.resize_short_side(images.read(file), arguments.photo_px)
        for file in some_photos(arguments.content, arguments.photos)
    }
    rows = control_curve(
        lambda photo, stroke: model(photo, stroke=stroke), photos, strokes=strokes, painting=statistics
    )
    return rows, summarise(rows)


def as_json(rows: list[Row], summary: Summary) -> str:
    """NaN is not JSON: null."""
    tables = {"rows": [row._asdict() for row in rows], "summary": summary._asdict()}
    plain = json.loads(json.dumps(tables), parse_constant=lambda _: None)
    return json.dumps(plain, indent=2)


def as_table(rows: list[Row], summary: Summary) -> str:
    lines = [f"{'photo':32} {'requested':>9} {'matched':>9} {'distance':>9}   (octaves; cosine distance)"]
    lines += [
        f"{row.photo[:32]:32} {row.requested_octaves:9.2f} {row.matched_octaves:9.2f} {row.distance:9.3f}"
        for row in rows
    ]
    lines.append(
        f"slope {summary.slope:.2f}, mean absolute error {summary.mean_absolute_error_octaves:.2f} octave, "
        f"spread over photos {summary.spread_over_photos_octaves:.2f} octave, {summary.unmeasured} unmeasured"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(main())
