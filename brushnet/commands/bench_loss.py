"""`brushnet bench loss`: builds the reference and our training from one configuration, and has them raced."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from brushnet import build, images, seeds
from brushnet.bench.clock import Clock
from brushnet.bench.curve import compare
from brushnet.bench.loss import Judge, Limits, Tell, painter, sheet_rows, train_ours, train_reference
from brushnet.bench.reference import Reference, arch_of, reference_module, whole_photos
from brushnet.commands.bench_training import training_of
from brushnet.config import Config
from brushnet.config.secrets import without_secrets
from brushnet.errors import UserError
from brushnet.torch_file import UnreadableError
from brushnet.weights_file import read_weights

MOST_PHOTOS = 2000  # of the reference's, which holds their files in memory
SHOWN_PHOTOS = 6
ENOUGH = "VGG-16 to relu4_3 or VGG-19 to relu3_4 in torchvision's layout"


@dataclass(frozen=True)
class LossRequest:
    """`vgg` None: the file of lossnet.weights. `sheet` None: no pictures."""

    vgg: Path | None
    steps: int
    batch: int | None
    sheet: Path | None


def measure_loss(
    cfg: Config, request: LossRequest, overrides: list[str], clock: Clock, *, tell: Tell
) -> dict[str, Any]:
    """Figures as JSON has them. UserError before anything is trained."""
    check(cfg)
    vgg, arch, source = _vgg(cfg, request.vgg)
    module, data = training_of(cfg, overrides=overrides)
    assert data.photos is not None
    with seeds.torch_seeded(cfg.seed, "reference"):  # its weights and the order of its photos
        reference = Reference(
            whole_photos(data.photos.source, count=MOST_PHOTOS),
            module.paintings[0].render(1.0),
            batch_size=request.batch or cfg.trainer.batch_size,
            crop_px=cfg.trainer.crop_px,
            workers=data.train_dataloader().num_workers,
            device=clock.device,
            vgg=vgg,
            arch=arch,
        )
        held_out = torch.cat([batch["photo"] for batch in data.val_dataloader()]).float() / 255
        judge = Judge(reference, held_out, batch_size=cfg.trainer.batch_size)
        theirs = train_reference(reference, judge, clock, steps=request.steps, tell=tell)
    limits = Limits(theirs[-1], seconds=theirs[-1].seconds, max_steps=cfg.trainer.max_steps)
    options = build.build_options(cfg, Path())
    ours = train_ours(module, data, options, judge, clock, limits=limits, tell=tell)
    if request.sheet is not None:
        module.to(clock.device)  # Lightning has taken it off at the end
        rows = sheet_rows(held_out, [reference.paint, painter(module)], device=clock.device, most=SHOWN_PHOTOS)
        _write_sheet(request.sheet, rows, seconds=(theirs[-1].seconds, ours[-1].seconds))
    plain = reference_module()
    return {
        "options": [without_secrets(each) for each in overrides],
        "net": f"width {cfg.net.width}, {cfg.net.blocks} blocks, {cfg.net.trunk} trunk, {cfg.net.ends} ends",
        "lossnet": module.lossnet.name,
        "judge": f"{source}, {arch}: {', '.join(plain.ARCHITECTURES[arch][1].values())}",
        "held_out_photos": len(held_out),
        "crop_px": cfg.trainer.crop_px,
        "batch_size": cfg.trainer.batch_size,
        "reference_batch": reference.batch_size,
        "reference_steps": request.steps,
        "precision": options.precision,
        "compile": cfg.trainer.compile,
        "max_steps": cfg.trainer.max_steps,
        **compare(theirs, ours, weights=(reference.trainer.content_weight, reference.trainer.style_weight)),
    }


def check(cfg: Config) -> None:
    """UserError for a training that could not be compared with the reference."""
    if len(cfg.style.files) > 1:
        raise UserError(
            f"style.files must be one painting in brushnet bench loss, as the reference learns one, got "
            f"{len(cfg.style.files)}"
        )
    if not cfg.stroke.min <= 1 <= cfg.stroke.max:
        raise UserError(
            f"stroke.min and stroke.max must have 1 between them in brushnet bench loss, which compares at s = 1, got "
            f"{cfg.stroke.min:g} and {cfg.stroke.max:g}"
        )
    if cfg.trainer.max_time:
        raise UserError(
            f"trainer.max_time={cfg.trainer.max_time}: brushnet bench loss finds out how long it takes; "
            "trainer.max_steps plans the learning rate"
        )


def _vgg(cfg: Config, file: Path | None) -> tuple[dict[str, Tensor], str, str]:
    """Weights, architecture and name of what judges."""
    option = f"--vgg {file}"
    if file is None:
        file, option = Path(cfg.lossnet.weights), f"lossnet.weights={cfg.lossnet.weights}"
        if not file.is_file():
            raise UserError(f"brushnet bench loss needs --vgg FILE, the reference's loss network: {ENOUGH}")
    if not file.is_file():
        raise UserError(f"{option} does not exist; give a file: {ENOUGH}")
    try:
        state = read_weights(file)
    except UnreadableError as error:
        raise UserError(f"{option} cannot be read as weights: {error}") from error
    with seeds.torch_seeded(cfg.seed, "reference"):
        arch = arch_of(state)
    if arch is None:
        raise UserError(f"{option} is no loss network of the reference's, which takes {ENOUGH}")
    return state, arch, file.name


def _write_sheet(path: Path, rows: list[list[Tensor | None]], *, seconds: tuple[float, float]) -> None:
    labels = [
        "photo",
        *(f"{name}, {spent:.0f} s" for name, spent in zip(("reference", "brushnet"), seconds, strict=True)),
    ]
    images.write(images.sheet(rows, column_labels=labels, cell_px=256), path)
