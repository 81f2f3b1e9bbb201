"""Distill a narrow loss network from a VGG: as good at telling styles apart, several times faster.

    python scripts/distill_lossnet.py TEACHER --photos DIR [DIR ...] --out FILE.safetensors [--check PAINTINGS]

TEACHER is any weight file that `lossnet.weights` reads. The student learns from the photos and from paintings that
brushnet's own painter makes of them, at many scales and in many colours. Run again after an interruption, it goes on.
FILE can be used as it is: `brushnet train lossnet.weights=FILE`. With --check, how faithful it is on paintings that it
has not seen is printed and written beside it. A wider or deeper student: --widths, a stage for each slash, at most as
deep as the teacher.
"""

import argparse
import json
import logging
import sys
import time
from pathlib import Path

import torch

from brushnet.distill.held_out import HeldOut, as_lines, faithfulness, load_held_out
from brushnet.distill.pictures import load_photos, painted
from brushnet.distill.report import explained
from brushnet.distill.student import DEFAULT_WIDTHS, parse_widths
from brushnet.distill.train import Distillation, Settings, distill, require_layers
from brushnet.distill.weights import save_weights
from brushnet.errors import BrushnetError, UserError
from brushnet.lossnet import LossNetwork, load_lossnet

log = logging.getLogger("distill_lossnet")


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        run(arguments)
    except (BrushnetError, OSError) as error:  # OSError: a full disk, a folder without write permission
        print(f"distill_lossnet: error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", BrushnetError.exit_code)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    widths = "/".join(",".join(map(str, stage)) for stage in DEFAULT_WIDTHS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", type=Path, metavar="TEACHER", help="weight file of a VGG")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR", help="folders of photos")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the student, a .safetensors")
    parser.add_argument("--widths", default=widths, help=f"channels, a stage for each slash (default {widths})")
    parser.add_argument("--painted", type=int, default=200, help="paintings to make of the photos (default 200)")
    parser.add_argument("--steps", type=int, default=6400, help="steps of training (default 6400)")
    parser.add_argument("--batch-size", type=int, default=8, help="pictures a step (default 8)")
    parser.add_argument("--crop-px", type=int, default=128, help="side of the pictures (default 128)")
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="highest learning rate (default 0.005)")
    parser.add_argument("--save-every", type=int, default=200, help="steps between checkpoints (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of every random draw (default 0)")
    parser.add_argument("--bf16", action="store_true", help="run the teacher in bfloat16: faster where the CPU has it")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, ...")
    parser.add_argument("--check", type=Path, metavar="DIR", help="paintings to judge the student by")
    parser.add_argument("--stylized", type=Path, metavar="DIR", help="with --check: pictures painted by trained models")
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace) -> None:
    check(arguments)
    settings = Settings(
        widths=parse_widths(arguments.widths),
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        crop_px=arguments.crop_px,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        teacher_bf16=arguments.bf16,
    )
    teacher = load_lossnet(str(arguments.teacher))
    require_layers(teacher, settings.widths)
    held_out = load_held_out(arguments.check, arguments.stylized) if arguments.check else None
    distillation = prepare(arguments, teacher, settings)
    started = time.perf_counter()
    distill(distillation, save_every=arguments.save_every)
    log.info("trained in %.0f s", time.perf_counter() - started)
    save_weights(distillation.state(), arguments.out, teacher=teacher.name, settings=settings)
    log.info("%s: %d bytes", arguments.out, arguments.out.stat().st_size)
    log.info("explained, by layer: %s", json.dumps(explained(distillation)))
    if held_out is not None:
        judge(arguments.out, teacher, held_out)


def check(arguments: argparse.Namespace) -> None:
    """Before anything is read or written."""
    if arguments.out.suffix != ".safetensors":
        raise UserError(f"--out must end in .safetensors, got {arguments.out}")
    if not arguments.teacher.is_file():
        raise UserError(f"TEACHER {arguments.teacher} does not exist; give a weight file of a VGG")
    for option, least in {"steps": 1, "batch_size": 4, "crop_px": 32, "painted": 0, "save_every": 1}.items():
        value = getattr(arguments, option)
        if value < least:
            raise UserError(f"--{option.replace('_', '-')} must be at least {least}, got {value}")
    if not 0 < arguments.learning_rate < 1:
        raise UserError(f"--learning-rate must be above 0 and below 1, got {arguments.learning_rate}")
    if arguments.stylized and not arguments.check:
        raise UserError("--stylized needs --check, the paintings to compare with")
    for folder in [*arguments.photos, *filter(None, [arguments.check, arguments.stylized])]:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder")
    check_device(arguments.device)


def check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {device} cannot be used: {reason}") from error


def prepare(arguments: argparse.Namespace, teacher: LossNetwork, settings: Settings) -> Distillation:
    photos = load_photos(arguments.photos)
    work = arguments.out.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    paintings = painted(photos, work, count=arguments.painted, seed=arguments.seed)
    log.info("%d photos, %d paintings of them", len(photos), len(paintings))
    return Distillation(teacher, [*photos, *paintings], settings, checkpoint=work / "last.pt", device=arguments.device)


def judge(student: Path, teacher: LossNetwork, held_out: HeldOut) -> None:
    """As it was saved, in float16."""
    report = faithfulness(load_lossnet(str(student)), teacher.to("cpu"), held_out)
    print(as_lines(report))
    student.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
