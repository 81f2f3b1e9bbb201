"""`brushnet baseline`: the classic methods of style transfer, to compare a trained model with."""

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from brushnet.commands.parser import Parser, positive_float, positive_int
from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable
from brushnet.config.schema import LossOptions
from brushnet.errors import UserError

METHODS = ("moments", "pyramid", "features", "all")
OWNERS = {  # options that mean nothing to the other methods
    "--scales": ("pyramid", "all"),
    "--weights": ("pyramid", "all"),
    "--stroke": ("features", "all"),
    "--style-weights": ("features", "all"),
    "--style-weight": ("features", "all"),
    "--seed": ("features", "all"),
    "--model": ("all",),
}
# Lighter and finer than in training: what a network cannot reach, the picture itself can. With the weights of training
# (0.5, content at a quarter of the resolution) faces were gone; with these VGG-19 and compact keep them, and agree.
STYLE_WEIGHT = 0.3
CONTENT_LEVEL = 1

_EPILOG = """methods:
  moments    the painting's feature means and covariances, layer by layer; no notion of stroke scale
  pyramid    moments at each of --scales, the largest first, blended in a Laplacian pyramid
  features   the picture itself is optimised (Gatys et al. 2016): slow, the reference
  all        the three, and with --model a trained one: pictures, contact sheet, losses and times as JSON

brushnet baseline features photo.jpg painting.jpg -o painted.png --stroke 2
brushnet baseline all photo.jpg painting.jpg -o compared --model runs/painting"""


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = _EPILOG
    parser.add_argument("method", choices=METHODS, help="see below")
    parser.add_argument("content", metavar="CONTENT", help="photo, or sample:NAME")
    parser.add_argument("style", metavar="STYLE", help="painting, or sample:NAME")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a picture (by its suffix), or a folder")
    parser.add_argument("--size", type=positive_int, default=256, metavar="PX",
                        help="short side that the photo is shrunk to (256)")  # fmt: skip
    parser.add_argument("--reference-px", type=positive_int, metavar="PX",
                        help="short side of the painting at stroke scale 1 (the model's, or 256)")  # fmt: skip
    parser.add_argument("--stroke", type=positive_float, metavar="S", help="stroke scale (1)")
    parser.add_argument("--scales", metavar="S,S,...", help="stroke scales of pyramid (1,2,4)")
    parser.add_argument("--weights", metavar="W,W,...", help="0 to 1 for each of --scales: how much of it (1)")
    parser.add_argument(
        "--lossnet", default="auto", metavar="NAME", help="auto, compact, vgg19, vgg16 or a weight file"
    )
    parser.add_argument("--layers", metavar="L,L,...", help="layers whose statistics are taken (as in training)")
    parser.add_argument("--style-weights", metavar="W,W,...", help="weight of each of --layers (1)")
    parser.add_argument("--style-weight", type=positive_float, metavar="W", help=f"style over content ({STYLE_WEIGHT})")
    parser.add_argument("--content-layer", metavar="L", help="layer that holds the photo (as in training)")
    parser.add_argument("--iterations", type=positive_int, metavar="N",
                        help="features 200; moments, and each scale of pyramid, 60; with all: of features")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="of the random draws (0)")
    parser.add_argument("--model", metavar="MODEL", help="with all: a trained model beside them")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--force", action="store_true", help="overwrite what an earlier run wrote")


def run(args: argparse.Namespace) -> int:
    _refuse_options_of_others(args)
    layers = _style_layers(args.layers, args.style_weights)
    scales = _scales(args.scales, args.weights)
    from brushnet.baselines.request import Request  # torch, seconds
    from brushnet.baselines.run import run as run_baseline
    from brushnet.losses import LossSpec

    logging.basicConfig(format="brushnet: %(message)s", level=logging.INFO, stream=sys.stderr)
    loss = LossOptions()
    spec = LossSpec(
        style_layers=layers,
        content_layers={args.content_layer: 1.0} if args.content_layer else _weights(loss.content_layers),
        style_weight=args.style_weight or STYLE_WEIGHT,
        content_weight=1.0,
        mean_weight=loss.mean_weight,
        tv_weight=loss.tv_weight,
        pyramid_levels=loss.pyramid_levels,
        content_level=CONTENT_LEVEL,
        statistic=loss.statistic,
    )
    request = Request(
        method=args.method,
        content=args.content,
        style=args.style,
        out=Path(args.output),
        size_px=args.size,
        reference_px=args.reference_px,
        stroke=args.stroke,
        scales=scales,
        iterations=args.iterations,
        lossnet=args.lossnet,
        model=args.model,
        seed=args.seed or 0,
        device=args.device,
        force=args.force,
    )
    with Progress("iterations") as progress:
        lines = run_baseline(request, spec, progress=progress.show)
    for line in lines:
        print(printable(line), file=sys.stderr)
    return 0


def _refuse_options_of_others(args: argparse.Namespace) -> None:
    for option, owners in OWNERS.items():
        given = getattr(args, option.removeprefix("--").replace("-", "_")) is not None
        if given and args.method not in owners:
            raise UserError(f"{option} belongs to {' and '.join(owners)}, not to {args.method}")


def _weights(layers: Sequence) -> dict[str, float]:
    return {layer.name: layer.weight for layer in layers}


def _style_layers(names_text: str | None, weights_text: str | None) -> dict[str, float]:
    default = _weights(LossOptions().style_layers)
    names = list(default) if names_text is None else [name.strip() for name in names_text.split(",")]
    if len(set(names)) < len(names) or "" in names:
        raise UserError(f"--layers must be different names with commas between (relu1_1,relu2_1), got {names_text}")
    if weights_text is None:
        return {name: default.get(name, 1.0) for name in names}
    weights = _numbers("--style-weights", weights_text, "above 0", above=0.0)
    return _paired("--style-weights", names, weights, of="layers")


def _scales(scales_text: str | None, weights_text: str | None) -> dict[float, float] | None:
    if scales_text is None:
        if weights_text is not None:
            raise UserError("--weights needs --scales: one weight for each")
        return None
    scales = _numbers("--scales", scales_text, "above 0", above=0.0)
    if len(set(scales)) < len(scales):
        raise UserError(f"--scales must differ from each other, got {scales_text}")
    if weights_text is None:
        return dict.fromkeys(scales, 1.0)
    weights = _numbers("--weights", weights_text, "from 0 to 1", above=-1e-9, most=1.0)
    return _paired("--weights", scales, weights, of="scales")


def _paired(option: str, keys: list, weights: list[float], *, of: str) -> dict:
    if len(weights) != len(keys):
        raise UserError(f"{option} must be one number for each of the {len(keys)} {of}, got {len(weights)}")
    return dict(zip(keys, weights, strict=True))


def _numbers(option: str, text: str, allowed: str, *, above: float, most: float = math.inf) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(above < number <= most and math.isfinite(number) for number in numbers):
        raise UserError(f"{option} must be numbers {allowed} with commas between, got {text}")
    return numbers
