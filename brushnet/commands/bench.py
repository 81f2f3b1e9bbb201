"""`brushnet bench`: how fast this machine trains, paints and loads, beside a plain reference."""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from brushnet.commands.parser import Parser, positive_float, positive_int
from brushnet.commands.terminal import printable
from brushnet.errors import UserError
from brushnet.files import write_whole

QUICK = ("train", "stylize", "data")  # all of these: the default
PARTS = (*QUICK, "all", "loss", "scaling")
SECONDS = 2.0
REFERENCE_STEPS = 300
MOST_PX = 16384
SHEET = ".jpg"  # beside FILE.json
DEVICES = ("auto", "cpu", "cuda", "mps")

_EPILOG = """parts:
  train    images/s of `brushnet train` with the same options, and where a step's time goes; in turn with a reference
           that trains as the common port of Johnson et al. does; beside what the device's matrix products allow
  stylize  time and memory a picture, by size, of every network in conf/net (net=NAME: of one) and of the reference's
  data     photos loaded a second, by number of loader processes
  all      the three (default)
  loss     minutes: the reference trains --reference-steps, ours until it has the losses that the reference ended with,
           on held-out photos and by the reference's own loss, which needs --vgg FILE
  scaling  minutes: training on two processes beside one, what a pixel costs from 256 to 4096 px, and loading by workers

brushnet bench
brushnet bench train trainer=gpu net=johnson lossnet=vgg16 loss=johnson
brushnet bench stylize --sizes 512,1920x1080 --compile -o speed.json
brushnet bench loss data.path=PHOTOS style.files=[painting.jpg] --vgg vgg19.pth -o loss.json

Nothing is written but -o FILE.json, and of loss FILE.jpg, what both have painted. All of a ratio is measured in one
run, turn and turn about but in loss; figures are medians."""


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.usage = "brushnet bench [train | stylize | data | all | loss | scaling] [option=value ...] [flags]"
    parser.epilog = _EPILOG
    parser.add_argument("words", nargs="*", metavar="PART | option=value",
                        help=f"one of {', '.join(PARTS)}; options as `brushnet train` takes them")  # fmt: skip
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto: the best there is")
    parser.add_argument("--seconds", type=positive_float, default=SECONDS, metavar="N",
                        help=f"of each measurement ({SECONDS:g}); longer is steadier")  # fmt: skip
    parser.add_argument("--sizes", metavar="PX,WxH,...",
                        help="of stylize (256 to 2048, as far as time and memory allow) and scaling")  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="of stylize: compiled networks too")
    parser.add_argument("--data", metavar="PATH", help="photos to train on and to load (the samples), as data.path")
    parser.add_argument("--reference-batch", type=positive_int, metavar="N",
                        help="of train, loss: photos in a step of the reference (as many as in ours)")  # fmt: skip
    parser.add_argument("--reference-steps", type=positive_int, metavar="N",
                        help=f"of loss: how long the reference is trained ({REFERENCE_STEPS})")  # fmt: skip
    parser.add_argument("--vgg", type=Path, metavar="FILE",
                        help="of loss: the reference's loss network, VGG-16 or VGG-19 (lossnet.weights)")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="write the figures there")
    parser.add_argument("--json", action="store_true", help="the figures to standard output, in place of tables")
    parser.add_argument("--force", action="store_true", help="overwrite what an earlier run wrote")


def run(args: argparse.Namespace) -> int:
    part, overrides = _split(args.words)
    _check_owners(part, args, overrides)
    sizes = parse_sizes(args.sizes) if args.sizes is not None else None
    if args.output is not None:
        check_output(args.output, force=args.force)
        if part == "loss":
            check_free(args.output.with_suffix(SHEET), force=args.force)
    from brushnet.commands.bench_parts import Request, measure  # torch, seconds

    request = Request(
        parts=QUICK if part == "all" else (part,),
        overrides=overrides,
        device=args.device,
        seconds=args.seconds,
        sizes=sizes,
        compiled=args.compile,
        data=args.data,
        reference_batch=args.reference_batch,
        reference_steps=args.reference_steps or REFERENCE_STEPS,
        vgg=args.vgg,
        sheet=args.output.with_suffix(SHEET) if args.output is not None else None,
    )
    found = {"command": shlex.join(["brushnet", "bench", *_typed(args)]), **measure(request, tell=_tell)}
    text = json.dumps(found, indent=1)
    if args.output is not None:
        write_whole(args.output, f"{text}\n".encode())
    if args.json:
        print(text)
    else:
        from brushnet.bench.tables import lines

        for line in lines(found):
            print(printable(line))
    return 0


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """(height, width) of each of "512,1920x1080". UserError says what is allowed."""
    found = []
    for each in text.split(","):
        match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", each.strip())
        width = int(match[1]) if match else 0
        height = int(match[2] or match[1]) if match else 0
        if not all(16 <= side <= MOST_PX for side in (height, width)):
            raise UserError(f"--sizes must be sides or WxH from 16 to {MOST_PX} px, joined by commas, got {each!r}")
        found.append((height, width))
    return found


def check_output(path: Path, *, force: bool) -> None:
    """UserError where the figures could not be written: better now than after minutes."""
    if path.suffix != ".json":
        raise UserError(f"-o {path}: the figures are JSON; give a name that ends in .json")
    if path.is_dir():
        raise UserError(f"-o {path} is a folder; give a file")
    there = next((folder for folder in path.absolute().parents if folder.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"-o {path}: {there} is not a folder that can be written to")
    check_free(path, force=force)


def check_free(path: Path, *, force: bool) -> None:
    """UserError where something would be overwritten without being told to."""
    if os.path.lexists(path) and not force:
        raise UserError(f"-o {path} would be overwritten; pass --force to allow it, or choose another")


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The part that is asked for, and the overrides."""
    named = [word for word in words if "=" not in word]
    if len(named) > 1 or (named and named[0] not in PARTS):
        got = " ".join(named)
        raise UserError(f"brushnet bench measures one of {', '.join(PARTS)}, got {got}; options are option=value")
    return (named or ["all"])[0], [word for word in words if "=" in word]


def _check_owners(part: str, args: argparse.Namespace, overrides: list[str]) -> None:
    """UserError for what would be silently ignored."""
    given = {
        "--sizes": (args.sizes, ("stylize", "scaling")),
        "--compile": (args.compile, ("stylize",)),
        "--reference-batch": (args.reference_batch, ("train", "loss")),
        "--reference-steps": (args.reference_steps, ("loss",)),
        "--vgg": (args.vgg, ("loss",)),
    }
    for option, (value, owners) in given.items():
        if value and part not in owners and not (part == "all" and owners[0] in QUICK):
            raise UserError(f"{option} belongs to brushnet bench {' or '.join(owners)}, got {part}")
    other = [each for each in overrides if not each.startswith("net=")]
    if part == "stylize" and (other or args.data):
        got = other[0] if other else f"--data {args.data}"
        raise UserError(f"{got} says how to train or load, and brushnet bench stylize does neither")


def _typed(args: argparse.Namespace) -> list[str]:
    """What makes the figures what they are; where they are written does not."""
    from brushnet.config.secrets import without_secrets

    flags = [f"--device={args.device}"] if args.device != "auto" else []
    flags += [f"--seconds={args.seconds:g}"] if args.seconds != SECONDS else []
    flags += [f"--sizes={args.sizes}"] if args.sizes else []
    flags += ["--compile"] if args.compile else []
    flags += [f"--data={without_secrets(args.data)}"] if args.data else []
    flags += [f"--reference-batch={args.reference_batch}"] if args.reference_batch else []
    flags += [f"--reference-steps={args.reference_steps}"] if args.reference_steps else []
    flags += [f"--vgg={args.vgg.name}"] if args.vgg else []  # a figure that is shared need not tell of folders
    return [*map(without_secrets, args.words), *flags]


def _tell(text: str) -> None:
    print(printable(f"bench: {text}"), file=sys.stderr)
