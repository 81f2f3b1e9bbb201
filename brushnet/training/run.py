"""One run: trainer and callbacks around the module, from the first step or a checkpoint to the saved model."""

import logging
import shlex
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brushnet import models
from brushnet.checkpoints import file as checkpoint_file
from brushnet.data.module import PhotoData
from brushnet.data.photos import NoPhotosError
from brushnet.errors import BrushnetError, Stopped, UserError
from brushnet.files import remove_partial
from brushnet.model_meta import CONTINUED, FORMAT
from brushnet.models import ModelMeta
from brushnet.training.budget import StopAtTotal, TimeBudget, planned_steps
from brushnet.training.callbacks import SampleGrids, StreamPosition
from brushnet.training.checkpoints import NO_ROOM, Checkpoints, unwritable
from brushnet.training.content import check_frame, check_state
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import CHECKPOINT_KEY, StyleTraining
from brushnet.training.progress import ProgressReport
from brushnet.training.stopping import StopOnSignal

log = logging.getLogger(__name__)

SAMPLE_PHOTOS = 5
SAMPLE_PX = 256


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is carried out; nothing here changes what is learnt, but for its length and arithmetic."""

    out_dir: Path
    max_steps: int
    max_seconds: float | None
    accelerator: str
    devices: int
    precision: str
    checkpoint_every_steps: int
    checkpoint_every_seconds: float | None
    keep_checkpoints: int
    checkpoint_at_start: bool
    validate_every_steps: int
    sample_every_steps: int
    log_every_steps: int


def run(
    module: StyleTraining,
    data: PhotoData,
    options: RunOptions,
    *,
    loggers: Sequence[Any],
    resume_from: Path | None,
    callbacks: Sequence[pl.Callback] = (),
) -> None:
    """Trains and writes `model.safetensors`, `metrics.csv`, `samples/` and `checkpoints/` into `options.out_dir`.

    Raises Stopped where the user stopped it (everything is saved by then), BrushnetError where training failed.
    """
    metrics = MetricsCsv(options.out_dir / "metrics.csv")
    saving = Checkpoints(
        options.out_dir,
        metrics,
        every_steps=options.checkpoint_every_steps,
        every_seconds=options.checkpoint_every_seconds,
        keep=options.keep_checkpoints,
        at_start=options.checkpoint_at_start,
    )
    if resume_from is None:
        metrics.start_over()
    else:
        check_state(read_checkpoint(resume_from), module, source=f"resume={resume_from}")
        step = progress_of(resume_from, options)[0]
        saving.resumed_from(resume_from, step)
        log.info("continuing %s at step %d, from %s", options.out_dir, step, resume_from.name)
    data.setup("fit")
    stop = StopOnSignal(options.out_dir)
    with _quiet_lightning(), _full_disk_said(options.out_dir):
        trainer = _trainer(data, options, loggers=[metrics, *loggers], callbacks=[stop, saving, *callbacks])
    with (
        stop.listening(trainer),
        _quiet_lightning(),
        _full_disk_said(options.out_dir),
        _matrix_products(trainer, options),
    ):
        try:
            trainer.fit(module, data, ckpt_path=resume_from, weights_only=True)
        except NoPhotosError:  # the disk that holds them is gone, say; other ranks would have to take part in saving
            if options.devices == 1 and module.batches_done:
                saving.save(trainer, module)
            raise
        saving.save(trainer, module)
        if trainer.global_step < module.total_steps:
            data.check_fraction()
        _finish(trainer, module, options, stopped=stop.received is not None)


@contextmanager
def _matrix_products(trainer: pl.Trainer, options: RunOptions) -> Iterator[None]:
    """With bf16 on a GPU those in float32 (of the style statistics) are of TF32, as convolutions are by default."""
    before = torch.get_float32_matmul_precision()
    if trainer.strategy.root_device.type == "cuda" and options.precision == "bf16-mixed":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _full_disk_said(run_dir: Path) -> Iterator[None]:
    """Whatever was being written: rows, a sample grid, the model."""
    try:
        yield
    except OSError as error:
        raise unwritable(error, run_dir) from error
    except BrushnetError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_ROOM:
            raise unwritable(error.__cause__, run_dir) from error
        raise


def _trainer(
    data: PhotoData, options: RunOptions, *, loggers: list[Any], callbacks: Sequence[pl.Callback]
) -> pl.Trainer:
    return pl.Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        strategy="ddp" if options.devices > 1 else "auto",
        precision=options.precision,  # type: ignore[arg-type]
        plugins=[checkpoint_file.SealedFiles()],
        max_steps=options.max_steps,
        max_epochs=-1,
        logger=loggers,
        callbacks=[*_callbacks(data, options), *callbacks],
        val_check_interval=min(options.validate_every_steps, options.max_steps),
        check_val_every_n_epoch=None,
        log_every_n_steps=options.log_every_steps,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.out_dir,
    )


def _callbacks(data: PhotoData, options: RunOptions) -> list[pl.Callback]:
    photos = data.sample_photos(SAMPLE_PHOTOS, SAMPLE_PX)
    callbacks: list[pl.Callback] = [
        StreamPosition(),
        ProgressReport(batch_size=data.batch_size),
        SampleGrids(options.out_dir / "samples", photos, every_steps=options.sample_every_steps),
    ]
    if options.max_seconds is not None:
        budget = TimeBudget(
            options.max_seconds,
            max_steps=options.max_steps,
            validate_every_steps=options.validate_every_steps,
            validation_batches=data.validation_batches,
        )
        callbacks.append(budget)
    return [*callbacks, StopAtTotal()]


def _finish(trainer: pl.Trainer, module: StyleTraining, options: RunOptions, *, stopped: bool) -> None:
    unfinished = trainer.global_step < module.total_steps
    if trainer.is_global_zero:
        save_model(module, options.out_dir / "model.safetensors")
    if stopped and unfinished:
        raise Stopped(
            f"stopped at step {trainer.global_step} of {module.total_steps}; "
            f"continue with: brushnet train resume={shlex.quote(str(options.out_dir))}"
        )
    if trainer.is_global_zero:
        log.info("trained %d steps in %.0f s: %s", trainer.global_step, module.seconds_trained, options.out_dir)


def save_model(module: StyleTraining, path: Path) -> None:
    """The averaged network as a style model."""
    meta = ModelMeta.from_json(module.describe(module), source=str(path))
    models.save(path, module.ema.module, meta)


def is_finished(checkpoint: Path, options: RunOptions) -> bool:
    """Whether there is nothing left to train; says so, and writes the model where a kill came before that."""
    step, done = progress_of(checkpoint, options)
    if done is None or step < done:
        return False
    log.info("%s is finished: %d of %d steps are trained", options.out_dir, step, done)
    _restore_model(checkpoint, options.out_dir / "model.safetensors")
    return True


@rank_zero_only
def _restore_model(checkpoint: Path, path: Path) -> None:
    if not path.exists():
        remove_partial(path.parent)
        model = models.load(checkpoint, device="cpu")
        models.save(path, model.net, model.meta)


def progress_of(checkpoint: Path, options: RunOptions) -> tuple[int, int | None]:
    """Step of a checkpoint, and the run's last one; None where a new time limit has yet to decide it.

    UserError where the file is no training checkpoint of ours.
    """
    content = read_checkpoint(checkpoint)
    if options.max_seconds is None:
        return content["global_step"], options.max_steps
    saved = content["callbacks"].get(TimeBudget.__qualname__)
    return content["global_step"], planned_steps(saved, seconds=options.max_seconds, max_steps=options.max_steps)


def check_format(checkpoint: Path) -> None:
    """UserError where the run was begun by a brushnet whose network was another."""
    meta = ModelMeta.from_json(str(read_checkpoint(checkpoint)[CHECKPOINT_KEY]), source=str(checkpoint))
    if meta.format < CONTINUED:
        raise UserError(
            f"resume={checkpoint} was begun by brushnet {meta.version}, whose network was another (format "
            f"{meta.format}, now {FORMAT}): it can be painted with, but not continued; start the run anew"
        )


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """What Lightning saved, memory-mapped, with our metadata under CHECKPOINT_KEY. Cannot run code.

    UserError where the file is no training checkpoint of ours, or damaged.
    """
    content = checkpoint_file.read(checkpoint)
    if not {CHECKPOINT_KEY, "global_step", "callbacks"} <= content.keys():
        raise UserError(f"resume={checkpoint} is no checkpoint of brushnet train")
    check_frame(content, source=f"resume={checkpoint}")
    return content


_NOISE = (
    ".*does not have many workers.*",
    ".*LeafSpec.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*You're resuming from a checkpoint that ended before the epoch ended.*",
    ".*GPU available but not used.*",
    ".*`srun` command is available.*",  # on a login node, say: whoever wants Slurm asks for it
    ".*IterableDataset.*",
    ".*no pre-optimization state was saved.*",  # ours is the state after the step, on purpose
    ".*number of training batches.*",
    ".*The \\.grad attribute of a Tensor that is not a leaf.*",  # torch.compile looks there, nobody else
    ".*module\\(s\\) in eval mode at the start of training.*",  # the averaged network
)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leaves out what Lightning says about choices that are ours."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message=message)
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
