"""Judge trained models by one loss network, whichever they were trained with: style and content loss by stroke scale.

    python scripts/score_models.py MODEL [MODEL ...] --style PAINTING --content DIR --weights FILE [--json]

The losses are those of the default configuration. With several models, each is also given relative to the first.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import Tensor

import brushnet
from brushnet import build, images
from brushnet.baselines.features import style_targets
from brushnet.config import Config
from brushnet.errors import BrushnetError
from brushnet.inference.scales import parse_strokes
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork
from brushnet.measure.control import some_photos
from brushnet.strokes import Painting
from brushnet.training.objective import loss_terms

PHOTO_PX = 256

Score = dict[str, float]  # style, content and, by scale, style@S


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    try:
        scores = score(arguments)
    except BrushnetError as error:
        print(f"score_models: error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(scores, indent=2) if arguments.json else as_table(scores))
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="model file, run folder or name")
    parser.add_argument("--style", type=Path, required=True, metavar="PAINTING", help="what they were trained on")
    parser.add_argument("--content", type=Path, required=True, metavar="DIR", help="folder of photos")
    parser.add_argument("--weights", required=True, metavar="FILE", help="loss network, as lossnet.weights")
    parser.add_argument("--photos", type=int, default=8, help="how many photos of the folder (default 8)")
    parser.add_argument("--strokes", default="0.5,1,2", help="stroke scales (default 0.5,1,2)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser.parse_args(argv)


@torch.no_grad()
def score(arguments: argparse.Namespace) -> dict[str, Score]:
    """By model."""
    cfg = Config()
    cfg.lossnet.weights = arguments.weights
    spec, lossnet = build.build_spec(cfg), build.build_lossnet(cfg)
    photos_B3HW = _photos(arguments.content, arguments.photos)
    strokes = parse_strokes(arguments.strokes)
    return {
        name: _score(brushnet.load(name), arguments.style, photos_B3HW, strokes, lossnet=lossnet, spec=spec)
        for name in arguments.models
    }


def _photos(folder: Path, count: int) -> Tensor:
    """Their middles."""
    middles = []
    for path in some_photos(folder, count):
        photo = images.resize_short_side(images.read(path), PHOTO_PX)
        top, left = ((side - PHOTO_PX) // 2 for side in photo.shape[-2:])
        middles.append(photo[..., top : top + PHOTO_PX, left : left + PHOTO_PX])
    return torch.cat(middles)


def _score(
    model: brushnet.StyleModel,
    style: Path,
    photos: Tensor,
    strokes: list[float],
    *,
    lossnet: LossNetwork,
    spec: LossSpec,
) -> Score:
    painting = Painting.open(style, reference_px=model.reference_px)
    found: dict[str, list[float]] = {}
    for stroke in strokes:
        targets = style_targets(painting.render(stroke), lossnet, spec)
        for photo in photos.split(1):
            terms = loss_terms(model(photo, stroke=stroke, strict=True), photo, targets, lossnet=lossnet, spec=spec)
            style_term = sum(float(term) for name, term in terms.items() if name.startswith("style/"))
            for name, value in {
                "style": style_term,
                f"style@{stroke:g}": style_term,
                "content": terms["content"],
            }.items():
                found.setdefault(name, []).append(float(value))
    return {name: sum(values) / len(values) for name, values in found.items()}


def as_table(scores: dict[str, Score]) -> str:
    first = next(iter(scores.values()))
    lines = []
    for name, row in scores.items():
        parts = (f"{key} {value:.4f} ({value / first[key]:.3f} x)" for key, value in row.items())
        lines.append(f"{name}: " + ", ".join(parts))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
