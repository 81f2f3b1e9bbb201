"""`brushnet evaluate`: does the stroke follow the request? Control curve, losses, likeness; other systems beside it."""

import argparse
import logging
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet.commands.memory import keep_freed_memory
from brushnet.commands.parser import Parser, positive_int
from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable
from brushnet.config.schema import LossOptions
from brushnet.errors import UserError

if TYPE_CHECKING:
    from brushnet.losses import LossSpec

# Freed blocks are kept up to this size of photos: of larger ones, blocks of all sizes would add up to twice the peak.
KEPT_PX = 1024

_EPILOG = """writes control.json, control.csv, control.png and sheet.jpg into OUT.
--pictures: pictures of any system, named PHOTO_s0.5.png, s=0.5/PHOTO.png or 0.5/PHOTO.png

brushnet evaluate runs/painting --style painting.jpg --content photos -o control
brushnet evaluate starry-night --style sample:pictures/starry-night --content photos --sizes 512,1024,2048
brushnet evaluate starry-night --style sample:pictures/starry-night --content photos --pictures other=painted/"""


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = _EPILOG
    parser.add_argument("model", nargs="?", metavar="MODEL",
                        help="a .safetensors, a .ckpt, a run folder, or an embedded name")  # fmt: skip
    parser.add_argument("--style", required=True, metavar="P", help="the painting that was learned, or sample:NAME")
    parser.add_argument("--style-name", metavar="NAME",
                        help="what MODEL calls it, where that is not the name of its file")  # fmt: skip
    parser.add_argument("--content", metavar="DIR", help="photos to paint, or sample:photos")
    parser.add_argument("--pictures", action="append", default=[], metavar="[NAME=]DIR",
                        help="pictures of another system, named by scale; may be given again")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="OUT", help="folder for what is written (control-NAME)")
    parser.add_argument("--scales", metavar="S,S,...", help="stroke scales (seven over the trained range)")
    parser.add_argument("--sizes", metavar="PX,PX,...", help="short sides that photos are brought to, to 4096 (512)")
    parser.add_argument("--photos", type=positive_int, default=10, metavar="N", help="at most so many, evenly (10)")
    parser.add_argument("--encoder", action="append", metavar="NAME|FILE",
                        help="what measures stroke scale; may be given again")  # fmt: skip
    parser.add_argument("--lossnet", default="compact", metavar="NAME",
                        help="for style and content loss: compact, vgg19, vgg16, auto or a weight file")  # fmt: skip
    parser.add_argument("--lpips", metavar="FILE", help="LPIPS's linear head for SqueezeNet (squeeze.pth)")
    parser.add_argument("--squeezenet", metavar="FILE", help="its backbone, SqueezeNet 1.1 of torchvision")
    parser.add_argument("--reference-px", type=positive_int, metavar="PX",
                        help="short side of the painting at stroke scale 1 (the model's, or 256)")  # fmt: skip
    parser.add_argument("--plots", default="png", metavar="KIND,...", help="png, pdf, svg (png)")
    parser.add_argument(
        "--device", default="auto", metavar="DEVICE", help="that paints: auto, cpu, cuda, cuda:N or mps"
    )
    parser.add_argument("--json", action="store_true", help="what control.json holds, to standard output too")
    parser.add_argument("--force", action="store_true", help="overwrite what an earlier run wrote")


def run(args: argparse.Namespace) -> int:
    scales = _scales(args.scales) if args.scales is not None else None
    sizes = _sizes(args.sizes) if args.sizes is not None else None
    from brushnet.evaluation.request import Request  # torch, seconds
    from brushnet.evaluation.run import evaluate
    from brushnet.measure.meters import DEFAULT_ENCODER

    if max(sizes or (0,)) <= KEPT_PX:
        keep_freed_memory()
    logging.basicConfig(format="brushnet: %(message)s", level=logging.INFO, stream=sys.stderr)
    request = Request(
        style=args.style,
        model=args.model,
        style_name=args.style_name,
        content=args.content,
        pictures=tuple(args.pictures),
        out=Path(args.output) if args.output is not None else None,
        scales=scales,
        sizes=sizes,
        photos=args.photos,
        encoders=tuple(args.encoder or (DEFAULT_ENCODER,)),
        lossnet=args.lossnet,
        lpips=args.lpips,
        squeezenet=args.squeezenet,
        reference_px=args.reference_px,
        plots=tuple(dict.fromkeys(args.plots.split(","))),
        device=args.device,
        force=args.force,
    )
    with Progress("pictures") as progress:
        found = evaluate(request, _spec(), progress=progress.show)
    for line in found.lines():
        print(printable(line), file=sys.stderr)
    if args.json:
        print(found.as_json(), end="")
    return 0


def _spec() -> "LossSpec":
    """Of the default configuration, unweighted. Not `build.build_spec`, which would import Lightning: seconds."""
    from brushnet.losses import LossSpec

    loss = LossOptions()
    return LossSpec(
        style_layers={layer.name: layer.weight for layer in loss.style_layers},
        content_layers={layer.name: layer.weight for layer in loss.content_layers},
        style_weight=1.0,
        content_weight=1.0,
        mean_weight=loss.mean_weight,
        tv_weight=0.0,
        pyramid_levels=loss.pyramid_levels,
        content_level=loss.content_level,
        statistic=loss.statistic,
    )


def _scales(text: str) -> tuple[float, ...]:
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = (math.nan,)
    if not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise UserError(f"--scales must be numbers above 0 with commas between (0.5,1,2), got {text}")
    return scales


def _sizes(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"--sizes must be whole numbers of px with commas between (512,1024), got {text}")
    return tuple(int(part) for part in parts)
