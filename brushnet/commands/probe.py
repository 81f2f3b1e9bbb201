"""`brushnet probe`: which layer of a loss network sees which stroke scale, and whether what is said of it is so."""

import argparse
import json
import logging
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet.commands.parser import Parser, positive_int
from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable
from brushnet.config.schema import StyleOptions
from brushnet.errors import UserError

if TYPE_CHECKING:
    from brushnet.losses import LossSpec

WIDTHS_PX = (2.0, 64.0)
WIDTHS_ALLOWED_PX = (1.0, 512.0)
DRAWS, SIZE_PX = 8, 320

_EPILOG = """Pictures of known stroke widths are painted (or, with --style, parts of a painting rescaled). Each layer's
style statistics then tell neighbouring widths apart, or not: d' is their distance in units of the spread
of one width. 0 is guessing, 1 is hard, 3 is plain.

brushnet probe -o probe                                    the loss network that trainings use here
brushnet probe --lossnet vgg19.pth --lossnet compact       one row of plots for each
brushnet probe --claims --models runs/claims-*/*/          claims.md, .json and .png"""


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = _EPILOG
    parser.add_argument("--lossnet", action="append", metavar="NAME",
                        help="auto, compact, vgg19, vgg16 or a weight file; may be repeated (auto)")  # fmt: skip
    parser.add_argument("--style", nargs="+", default=[], metavar="P",
                        help="paintings to rescale, instead of painted strokes, or sample:NAME; at each scale the "
                             "picture is of another size, and what is depicted scales with the strokes")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="OUT", help="folder to write into (probe, or claims)")
    parser.add_argument("--json", action="store_true", help="the table on standard output too")
    parser.add_argument("--widths", metavar="LOW,HIGH",
                        help="stroke widths in px, in steps of half an octave (2,64)")  # fmt: skip
    parser.add_argument("--draws", type=positive_int, metavar="N",
                        help=f"pictures of each width ({DRAWS})")  # fmt: skip
    parser.add_argument("--size", type=positive_int, metavar="PX",
                        help=f"side of the painted pictures ({SIZE_PX})")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="of the random draws (0)")
    parser.add_argument("--claims", action="store_true",
                        help="test what practitioners repeat of stroke scale; --style: one painting")  # fmt: skip
    parser.add_argument("--models", nargs="+", default=[], metavar="MODEL",
                        help="with --claims: models trained on that painting (see experiment=claims)")  # fmt: skip
    parser.add_argument("--content", metavar="DIR", help="with --claims: photos to paint (three that ship)")
    parser.add_argument("--force", action="store_true", help="overwrite what an earlier run wrote")


def run(args: argparse.Namespace) -> int:
    _refuse_options_of_others(args)
    widths_px = WIDTHS_PX if args.widths is None else _widths(args.widths)
    from brushnet.probing import claim_detail, claims, layers  # torch, seconds

    logging.basicConfig(format="brushnet: %(message)s", level=logging.INFO, stream=sys.stderr)
    spec = _spec()
    request = layers.Request(
        lossnets=args.lossnet or ["auto"],
        styles=[] if args.claims else args.style,
        out=Path(args.output or ("claims" if args.claims else "probe")),
        widths_px=widths_px,
        draws=args.draws or DRAWS,
        size_px=args.size or SIZE_PX,
        seed=args.seed or 0,
        reference_px=StyleOptions().reference_px,
        loss_layers=list(spec.style_layers),
        pyramid_levels=spec.pyramid_levels,
        mean_weight=spec.mean_weight,
        force=args.force,
    )
    with Progress("steps") as progress:
        if args.claims:
            whole = claims.ClaimsRequest(
                probe=request,
                spec=spec,
                style=(args.style or StyleOptions().files)[0],
                models=args.models,
                content=args.content,
                iterations=claim_detail.ITERATIONS,
            )
            lines, table = claims.run(whole, progress=progress.show)
        else:
            lines, table = layers.run(request, progress=progress.show)
    for line in lines:
        print(printable(line), file=sys.stderr)
    if args.json:
        print(json.dumps(table, indent=2))
    return 0


def _spec() -> "LossSpec":
    """The loss of a training as configured by default."""
    from brushnet.build import build_spec
    from brushnet.config import Config

    return build_spec(Config())


def _refuse_options_of_others(args: argparse.Namespace) -> None:
    if not args.claims:
        for option, given in {"--models": args.models, "--content": args.content}.items():
            if given:
                raise UserError(f"{option} belongs to --claims, got {option} without it")
        painted = {"--widths": args.widths, "--draws": args.draws, "--size": args.size, "--seed": args.seed}
        for option, given in painted.items():
            if args.style and given is not None:
                raise UserError(f"{option} is of painted strokes and means nothing to --style, got {option} {given}")
    elif len(args.style) > 1:
        raise UserError(f"--claims takes one --style, the painting of claims b and d, got {len(args.style)}")


def _widths(text: str) -> tuple[float, float]:
    low, high = WIDTHS_ALLOWED_PX
    try:
        narrow, wide = (float(part) for part in text.split(","))
    except ValueError:
        narrow = wide = math.nan
    if not low <= narrow < wide <= high or wide / narrow < math.sqrt(2) - 1e-9:
        raise UserError(
            f"--widths must be two numbers from {low:g} to {high:g}, at least half an octave apart, with a comma "
            f"between (2,64), got {text}"
        )
    return narrow, wide
