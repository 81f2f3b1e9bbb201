"""What `brushnet bench` measures, built from a configuration as `brushnet train` builds it."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from brushnet import build, config
from brushnet.bench.clock import Clock
from brushnet.bench.inference import measure_inference, variants
from brushnet.bench.loading import measure_loading, sample_photos, worker_counts
from brushnet.bench.machine import describe_machine
from brushnet.bench.rates import Rates, arithmetic
from brushnet.bench.reference import Reference, whole_photos
from brushnet.bench.training import TrainingFigures, measure_training
from brushnet.commands import bench_scaling
from brushnet.commands.bench_loss import LossRequest, measure_loss
from brushnet.commands.bench_training import training_of
from brushnet.config import Config
from brushnet.config.folder import conf_dir, groups
from brushnet.config.overrides import keys
from brushnet.config.secrets import without_secrets
from brushnet.devices import pick_device
from brushnet.errors import UserError

Tell = Callable[[str], None]

ACCELERATORS = {"cpu": "cpu", "cuda": "gpu", "mps": "mps"}  # as trainer.accelerator calls them
NOT_MEASURED = ("resume", "style.base")


@dataclass(frozen=True)
class Request:
    parts: tuple[str, ...]
    overrides: list[str]
    device: str
    seconds: float
    sizes: list[tuple[int, int]] | None
    compiled: bool
    data: str | None
    reference_batch: int | None
    reference_steps: int = 300
    vgg: Path | None = None
    sheet: Path | None = None


def measure(request: Request, *, tell: Tell) -> dict[str, Any]:
    """All figures that are asked for. What is wrong with the request is said before the first of them is taken."""
    cfg = composed(request)
    clock = Clock(_device(request.device, cfg))
    found: dict[str, Any] = {"seconds": request.seconds, "machine": describe_machine(clock.device)}
    if "train" in request.parts:
        found["training"] = training(cfg, request, clock, tell=tell)
    if "stylize" in request.parts:
        found["inference"] = inference(request, clock, tell=tell)
    if "data" in request.parts:
        found["loading"] = loading(cfg, request, clock, tell=tell)
    if "loss" in request.parts:
        cfg.trainer.accelerator = ACCELERATORS[clock.device.type]
        wanted = LossRequest(request.vgg, request.reference_steps, request.reference_batch, request.sheet)
        found["loss"] = measure_loss(cfg, wanted, request.overrides, clock, tell=tell)
    if "scaling" in request.parts:
        found["scaling"] = scaling(cfg, request, clock, tell=tell)
    return found


def composed(request: Request) -> Config:
    """The training's configuration. UserError for what is no single training from its beginning on one device."""
    for key in keys(request.overrides):
        if key in NOT_MEASURED:
            raise UserError(f"{key}= starts from something that is trained; brushnet bench trains from the beginning")
    cfg = config.compose(request.overrides)
    if cfg.trainer.devices > 1:
        raise UserError(f"trainer.devices must be 1 in brushnet bench, got {cfg.trainer.devices}")
    if request.data is not None:
        if "data.path" in keys(request.overrides):
            raise UserError(f"--data {request.data} and data.path={cfg.data.path} say the same; give one of them")
        cfg.data.path = request.data
    return cfg


def training(cfg: Config, request: Request, clock: Clock, *, tell: Tell) -> dict[str, Any]:
    cfg.trainer.accelerator = ACCELERATORS[clock.device.type]
    module, data = training_of(cfg, overrides=request.overrides)
    assert data.photos is not None
    workers = data.train_dataloader().num_workers
    reference = Reference(
        whole_photos(data.photos.source),
        module.paintings[0].render(1.0),
        batch_size=request.reference_batch or cfg.trainer.batch_size,
        crop_px=cfg.trainer.crop_px,
        workers=workers,
        device=clock.device,
    )
    tell("training, in turn with the reference and with matrix products")
    options = build.build_options(cfg, Path())
    figures = measure_training(module, data, options, reference=reference, rates=Rates(clock), seconds=request.seconds)
    return {
        "options": [without_secrets(each) for each in request.overrides],
        "net": f"width {cfg.net.width}, {cfg.net.blocks} blocks, {cfg.net.trunk} trunk",
        "lossnet": module.lossnet.name,
        "crop_px": cfg.trainer.crop_px,
        "precision": options.precision,
        "compile": cfg.trainer.compile,
        "workers": workers,
        **beside_the_roofline(figures, arithmetic(clock.device, options.precision)),
    }


def beside_the_roofline(figures: TrainingFigures, kind: str) -> dict[str, Any]:
    """The figures as a dictionary, with what the device could do in this arithmetic, and the share reached."""
    found = figures.to_dict()
    assert figures.rates is not None
    rates, copied = figures.rates.flops_s, figures.rates.bytes_s
    found["roofline"] = {
        "product_flops_s": rates,
        "copy_bytes_s": copied,
        "arithmetic": kind,
        "images_s": rates[kind] / figures.work.flops,
        "images_s_by_layer": 1 / figures.work.seconds(flops_s=rates[kind], bytes_s=copied),
    }
    for each in (found, found.get("reference")):
        if each is not None:  # against the rate of our arithmetic: what either makes of the device
            each["roofline_share"] = each["images_s"] * each["flops_per_image"] / rates[kind]
    return found


def inference(request: Request, clock: Clock, *, tell: Tell) -> list[dict[str, Any]]:
    asked = [each.partition("=")[2] for each in request.overrides] if request.parts == ("stylize",) else []
    networks = {name: build.build_net(config.compose([f"net={name}"])) for name in asked or groups(conf_dir())["net"]}
    kinds = ["float32", "bfloat16"] if clock.device.type == "cuda" else ["float32"]
    compared = variants(networks, clock.device, arithmetics=kinds, compiled=request.compiled)
    # Half: there are many of them, at several sizes.
    return measure_inference(compared, clock, seconds=request.seconds / 2, sizes=request.sizes, tell=tell)


def loading(cfg: Config, request: Request, clock: Clock, *, tell: Tell) -> list[dict[str, Any]]:
    """By number of workers, from one's own photos, or from the sample photos as a folder and as shards."""
    own = request.data or ("data.path" in keys(request.overrides) and cfg.data.path)
    rows = []
    with nullcontext({"given": own}) if own else sample_photos() as paths:
        for kind, path in paths.items():
            rows += measure_loading(
                path,
                kind=kind,
                crop_px=cfg.trainer.crop_px,
                batch_size=cfg.trainer.batch_size,
                workers=worker_counts(os.cpu_count() or 1),
                seconds=request.seconds,
                clock=clock,
                tell=tell,
            )
    return rows


def scaling(cfg: Config, request: Request, clock: Clock, *, tell: Tell) -> dict[str, Any]:
    return {
        "processes": bench_scaling.processes(cfg, seconds=request.seconds, tell=tell),
        "painting": bench_scaling.painting(cfg, clock, seconds=request.seconds, sizes=request.sizes, tell=tell),
        "loading": loading(cfg, request, clock, tell=tell),
    }


def _device(asked: str, cfg: Config) -> torch.device:
    """UserError where it is not here, or where the options say another."""
    wanted = cfg.trainer.accelerator
    if wanted == "auto":
        return pick_device(asked)
    build.check_devices(wanted, 1)
    if asked != "auto" and ACCELERATORS[asked] != wanted:
        raise UserError(f"--device {asked} contradicts trainer.accelerator={wanted}; leave one of them out")
    return pick_device({kind: name for name, kind in ACCELERATORS.items()}[wanted])
