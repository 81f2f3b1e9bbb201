"""Configuration -> objects, in plain code: the whole call graph of a run in one place."""

import logging
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brushnet import config, models, samples, seeds
from brushnet.config import Config
from brushnet.config.secrets import all_without_secrets
from brushnet.data.module import PhotoData
from brushnet.devices import pick_device, pick_precision
from brushnet.errors import UserError
from brushnet.evaluation import after_training
from brushnet.evaluation.after_training import judge_run
from brushnet.evaluation.judge import Judge
from brushnet.evaluation.request import open_lossnet
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork, choose, load_lossnet
from brushnet.measure.meters import DEFAULT_ENCODER, Meter, open_meters
from brushnet.model_meta import NET_LIMITS, clean_names
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from brushnet.strokes import Painting, StrokeRange
from brushnet.training.base import Base, open_base, resumed_base
from brushnet.training.command import whole_command
from brushnet.training.fork import Origin, open_origin, resumed_origin
from brushnet.training.identity import Identity, RunIdentity, replaced, saved_identity
from brushnet.training.loggers import ExtraLogger, check_logger, open_loggers
from brushnet.training.module import StyleTraining
from brushnet.training.run import RunOptions, check_format, is_finished, progress_of, read_checkpoint, run

log = logging.getLogger(__name__)

JUDGING_LOSSNET = "compact"  # of every run: figures by different networks could not be compared


def train(
    cfg: Config,
    out_dir: Path,
    *,
    resume_from: Path | None = None,
    allow_pipe: bool = False,
    command: str | None = None,
    given: Collection[str] = (),
) -> None:
    """Builds everything from a checked configuration and runs it. Raises BrushnetError, Stopped.

    What can be wrong with the files is found before anything is written into `out_dir`. `command` is what the saved
    model will tell of its training; None in a resume that changes nothing. `given` are the options and groups that the
    user chose, which may not contradict `style.base`.
    """
    options = build_options(cfg, out_dir)
    if resume_from is not None and is_finished(resume_from, options):
        return
    check_devices(options.accelerator, options.devices)
    check_logger(cfg.logger.kind)
    if resume_from is not None:
        check_format(resume_from)
    base = build_base(cfg, resume_from=resume_from, given=given)
    origin = build_origin(cfg, resume_from=resume_from, given=given)
    stroke = build_stroke(cfg)
    paintings = build_paintings(cfg, stroke, kept=base.style_names if base else ())
    # Saved: a resume must not choose anew.
    cfg.trainer.precision = options.precision
    cfg.lossnet.weights = choose(cfg.lossnet.weights, arch=cfg.lossnet.arch)
    lossnet = build_lossnet(cfg)
    data = build_data(cfg, allow_pipe=allow_pipe)
    data.setup("fit")
    identity = build_identity(cfg, data=data, paintings=paintings, lossnet=lossnet)
    if resume_from is not None:
        check_identity(identity, resume_from=resume_from)
    command = whole_command(command, resume_from=resume_from)
    module = build_module(
        cfg, lossnet=lossnet, paintings=paintings, stroke=stroke, command=command, base=base, origin=origin
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    # The others were told more by Lightning than the user has typed, and that is what `command` is of.
    rank_zero_only(config.save)(cfg, out_dir / "config.yaml", command=command)
    step = None if resume_from is None else progress_of(resume_from, options)[0]
    loggers = build_loggers(cfg, out_dir, from_step=step)
    try:
        run(module, data, options, loggers=loggers, resume_from=resume_from, callbacks=[RunIdentity(identity)])
    finally:
        for logger in loggers:  # after all is saved: a server may keep this waiting
            logger.close()


def build_loggers(cfg: Config, out_dir: Path, *, from_step: int | None) -> list[ExtraLogger]:
    return open_loggers(
        cfg.logger.kind,
        out_dir,
        project=cfg.logger.project,
        name=cfg.logger.name or out_dir.name,
        group=cfg.logger.group,
        config=all_without_secrets(config.to_dict(cfg)),
        from_step=from_step,
    )


def evaluate_run(
    cfg: Config, run_dir: Path, *, allow_pipe: bool = False, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Judges the trained run in `run_dir` on its validation photos and writes RUN/evaluation/; see `judge_run`.

    Of several paintings the first of `style.files` is judged. By the losses of the default configuration, whatever the
    run minimised. The run's logger is told. Raises BrushnetError.
    """
    model = models.load(run_dir).to(pick_device("cpu" if cfg.trainer.accelerator == "cpu" else "auto"))
    data = build_data(cfg, allow_pipe=allow_pipe)
    data.setup("fit")
    painting, meter = _judged_painting(samples.resolve(cfg.style.files[0]), cfg.style.reference_px)
    spec = build_spec(Config())
    lossnet = open_lossnet(JUDGING_LOSSNET, spec)
    found = judge_run(
        model,
        data.sample_photos(after_training.PHOTOS, after_training.PHOTO_PX),
        painting,
        style=len(model.style_names) - len(cfg.style.files),
        judge=Judge(painting, meters=[meter], lossnet=lossnet, spec=spec),
        lossnet=lossnet.name,
        out=run_dir / after_training.FOLDER,
        progress=progress,
    )
    steps = model.meta.training.get("steps")
    step = steps if isinstance(steps, int) else 0
    for logger in build_loggers(cfg, run_dir, from_step=step):
        logger.log_evaluation(after_training.told(found, run_dir / after_training.FOLDER), step=step)
        logger.close()
    return found


@lru_cache(maxsize=4)
def _judged_painting(path: Path, reference_px: int) -> tuple[Painting, Meter]:
    """Kept for the next run of a sweep: the meter looks at a painting for six seconds."""
    painting = Painting.open(path, reference_px=reference_px)
    return painting, open_meters([DEFAULT_ENCODER], painting)[0]


def check_devices(accelerator: str, devices: int) -> None:
    """UserError where this machine has not what is asked for."""
    found = {"gpu": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if accelerator in found and not found[accelerator]:
        raise UserError(
            f"trainer.accelerator={accelerator}: this machine has none that torch can see; allowed: auto, cpu"
        )
    if accelerator == "auto":
        accelerator = next((kind for kind, count in found.items() if count), "cpu")
    if devices > found.get(accelerator, devices):
        raise UserError(
            f"trainer.devices must be at most {found[accelerator]}, the devices that torch can see here, got {devices}"
        )


def build_base(cfg: Config, *, resume_from: Path | None, given: Collection[str]) -> Base | None:
    """The model of `style.base`, whose network and stroke range `cfg` takes over. UserError where it says otherwise."""
    if cfg.style.base is None:
        return None
    added = len(cfg.style.files)
    base = resumed_base(resume_from, added=added) if resume_from else open_base(cfg.style.base, added=added)
    for key, value in base.inherited.items():
        section, name = key.split(".")
        options = getattr(cfg, section)
        asked, default = getattr(options, name), getattr(type(options)(), name)
        if asked != value and (asked != default or key in given or section in given):
            raise UserError(
                f"{key}={asked} contradicts style.base={cfg.style.base}, which was trained with {value}; leave it out"
            )
        setattr(options, name, value)
    config.check(cfg)
    return base


def build_origin(cfg: Config, *, resume_from: Path | None, given: Collection[str]) -> Origin | None:
    """What `fork` says the run starts from, or started from. `cfg` takes over its network."""
    if cfg.fork is None:
        return None
    if resume_from is not None:
        return resumed_origin(resume_from)
    net = {**asdict(cfg.net), "styles": len(cfg.style.files)}
    origin = open_origin(cfg.fork, net=net, given=given, stroke_mode=cfg.stroke.mode)
    for name in asdict(cfg.net):
        setattr(cfg.net, name, getattr(origin.net, name))
    log.info("starting from the weights of %s (step %s)", cfg.fork, origin.summary.get("step", "not told"))
    return origin


def build_identity(cfg: Config, *, data: PhotoData, paintings: list[Painting], lossnet: LossNetwork) -> Identity:
    assert data.photos is not None
    photos = f"{len(data.photos.source)} photos ({data.fingerprint()[:16]})"
    return Identity.of(
        config.to_dict(config.with_absolute_paths(cfg)), photos=photos, paintings=paintings, lossnet=lossnet
    )


def check_identity(found: Identity, *, resume_from: Path) -> None:
    """UserError lists what of a run was replaced since its checkpoint was saved; harmless changes are logged."""
    source = f"resume={resume_from}"
    saved = saved_identity(read_checkpoint(resume_from), source=source)
    if saved is None:
        log.warning(
            "%s is of an earlier brushnet, which kept no digests: whether config.yaml, photos, paintings and loss "
            "network are still those of the run cannot be checked",
            source,
        )
        return
    before, now = (config.from_dict(each.config, source=source) for each in (saved, found))
    wrong = [*config.differences(before, now), *replaced(saved, found)]
    if wrong:
        raise UserError(
            f"{source}: something was changed since it was saved, and another model would come of it: "
            f"{', '.join(wrong)}; put that back, or --fork starts a new run from these weights"
        )
    for change in config.harmless_changes(before, now):
        log.info("changed since the run was stopped: %s", change)


def build_stroke(cfg: Config) -> StrokeRange:
    return StrokeRange(**asdict(cfg.stroke))


def build_paintings(cfg: Config, stroke: StrokeRange, *, kept: Collection[str] = ()) -> list[Painting]:
    """Each under a name of its own, different from those of the styles that are `kept`."""
    count, most = len(kept) + len(cfg.style.files), NET_LIMITS["styles"]
    if count > most:  # a saved model of more could not be read
        raise UserError(f"style.files: the model would be of {count} paintings, at most {most} are allowed")
    paintings = [Painting.open(samples.resolve(name), reference_px=cfg.style.reference_px) for name in cfg.style.files]
    names = clean_names([*kept, *(painting.name for painting in paintings)])[len(kept) :]
    for painting, name, file in zip(paintings, names, cfg.style.files, strict=True):
        painting.check(stroke)
        if painting.name != name:
            log.info("style.files: %s is called %s in the model", file, name)
            painting.name = name
    return paintings


def build_spec(cfg: Config) -> LossSpec:
    loss = cfg.loss
    return LossSpec(
        style_layers={layer.name: layer.weight for layer in loss.style_layers},
        content_layers={layer.name: layer.weight for layer in loss.content_layers},
        style_weight=loss.style_weight,
        content_weight=loss.content_weight,
        mean_weight=loss.mean_weight,
        tv_weight=loss.tv_weight,
        pyramid_levels=loss.pyramid_levels,
        content_level=loss.content_level,
        statistic=loss.statistic,
        content_follows_stroke=loss.content_follows_stroke,
        spectrum_weight=loss.spectrum_weight,
        grid_weight=loss.grid_weight,
    )


def build_lossnet(cfg: Config) -> LossNetwork:
    return load_lossnet(cfg.lossnet.weights, arch=cfg.lossnet.arch, layers=build_spec(cfg).layers)


def build_data(cfg: Config, *, allow_pipe: bool) -> PhotoData:
    return PhotoData(
        path=_resolve_samples(cfg.data.path),
        val_path=_resolve_samples(cfg.data.val_path) if cfg.data.val_path else None,
        source=cfg.data.source,
        crop_px=cfg.trainer.crop_px,
        batch_size=cfg.trainer.batch_size,
        seed=cfg.seed,
        workers=cfg.data.workers,
        val_photos=cfg.data.val_photos,
        allow_pipe=allow_pipe,
        cache_dir=cfg.data.cache_dir,
        max_bad_fraction=cfg.data.max_bad_fraction,
        decoded_mb=cfg.data.decoded_mb,
    )


def _resolve_samples(paths: str) -> str:
    """Each `sample:NAME` of a list joined by `::` as a path; the rest, URLs too, as it is."""
    parts = (str(samples.resolve(part)) if part.startswith(samples.PREFIX) else part for part in paths.split("::"))
    return "::".join(parts)


def build_net(cfg: Config) -> ResidualTransformer:
    with seeds.torch_seeded(cfg.seed, "net"):
        return ResidualTransformer(**asdict(cfg.net), styles=len(cfg.style.files))


def build_module(
    cfg: Config,
    *,
    lossnet: LossNetwork,
    paintings: list[Painting],
    stroke: StrokeRange,
    command: str | None,
    base: Base | None = None,
    origin: Origin | None = None,
) -> StyleTraining:
    trainer = cfg.trainer
    net = base.net if base else origin.net if origin else None
    return StyleTraining(
        build_net(cfg) if net is None else net,
        lossnet=lossnet,
        spec=build_spec(cfg),
        paintings=paintings,
        stroke=stroke,
        target=cfg.style.target,
        bank_step_octaves=cfg.style.bank_step_octaves,
        crop_px=trainer.crop_px,
        seed=cfg.seed,
        learning_rate=trainer.learning_rate,
        schedule=trainer.schedule,
        warmup_steps=trainer.warmup_steps,
        gradient_clip=trainer.gradient_clip,
        ema_decay=trainer.ema_decay,
        max_bad_steps=trainer.max_bad_steps,
        total_steps=trainer.max_steps,
        channels_last=trainer.channels_last,
        compiled=trainer.compile,
        describe=lambda module: build_meta(cfg, module, command=command, base=base, origin=origin).to_json(),
    )


def build_meta(
    cfg: Config,
    module: StyleTraining,
    *,
    command: str | None,
    base: Base | None = None,
    origin: Origin | None = None,
) -> ModelMeta:
    """What the saved model says of itself."""
    summary = {
        "command": command,
        "steps": module.global_step if module._trainer is not None else 0,
        "seconds": round(module.seconds_trained, 1),
        "batch_size": cfg.trainer.batch_size,
        "crop_px": cfg.trainer.crop_px,
        "lossnet": module.lossnet.name,
        "style_weight": cfg.loss.style_weight,
        "seed": cfg.seed,
        "device": module.trained_on,
        "skipped_steps": module.bad_steps,
        "losses": {name: round(value, 5) for name, value in module.last_losses.items()},
        **({"base": base.summary} if base else {}),
        **({"fork": origin.summary} if origin else {}),
    }
    return ModelMeta.of(
        module.net,
        stroke_mode=cfg.stroke.mode,
        stroke_min=cfg.stroke.min,
        stroke_max=cfg.stroke.max,
        reference_px=cfg.style.reference_px,
        style_names=[*(base.style_names if base else ()), *(painting.name for painting in module.paintings)],
        training=summary,
    )


def build_options(cfg: Config, out_dir: Path) -> RunOptions:
    trainer = cfg.trainer
    return RunOptions(
        out_dir=out_dir,
        max_steps=trainer.max_steps,
        max_seconds=seconds(trainer.max_time) if trainer.max_time else None,
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        precision=pick_precision(trainer.precision, trainer.accelerator),
        checkpoint_every_steps=trainer.checkpoint_every_steps,
        checkpoint_every_seconds=trainer.checkpoint_every_minutes * 60 if trainer.checkpoint_every_minutes else None,
        keep_checkpoints=trainer.keep_checkpoints,
        checkpoint_at_start=cfg.fork is not None,  # then it needs its origin no more, which may go on
        validate_every_steps=trainer.validate_every_steps,
        sample_every_steps=trainer.sample_every_steps,
        log_every_steps=trainer.log_every_steps,
    )


def seconds(clock: str) -> float:
    """Seconds of dd:hh:mm:ss."""
    days, hours, minutes, left = map(int, clock.split(":"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + left
