"""What happens beside the steps: sample grids, the time budget, stopping on request, where the data stream stands."""

import logging
import signal
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from brushnet import images
from brushnet.training.loggers import log_picture
from brushnet.training.module import VALIDATION_SCALES, StyleTraining

log = logging.getLogger(__name__)

CELL_PX = 256


class SampleGrids(pl.Callback):
    """Contact sheets `samples/step_N.jpg`, photos x stroke scales, every N steps and at the end."""

    def __init__(self, folder: Path, photos: Sequence[tuple[str, Tensor]], *, every_steps: int):
        self.folder, self.photos, self.every_steps = folder, photos, every_steps
        self.last_step = -1

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        if trainer.global_step % self.every_steps == 0 and trainer.global_step != self.last_step:
            self._write(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.global_step != self.last_step:
            self._write(trainer, module)

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.last_step = trainer.global_step
        if not trainer.is_global_zero:
            return
        assert isinstance(module, StyleTraining)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step_{trainer.global_step:06d}.jpg"
        sheet = sample_sheet(module, self.photos)
        images.write(sheet, path)
        for logger in trainer.loggers:
            log_picture(logger, path, sheet, step=trainer.global_step)


@torch.no_grad()
def sample_sheet(module: StyleTraining, photos: Sequence[tuple[str, Tensor]]) -> Tensor:
    """First row the painting at each scale, then each photo and its paintings by the averaged network."""
    scales = module.stroke.inside(VALIDATION_SCALES)
    painting = module.paintings[0]
    rows: list[list[Tensor | None]] = [[None, *(_corner(painting.render(scale)) for scale in scales)]]
    for _, photo in photos:
        on_device = photo.to(module.device)
        style = torch.zeros(1, dtype=torch.long)
        painted = [module.paint(on_device, torch.tensor([scale]).log2(), style).float().cpu() for scale in scales]
        rows.append([photo, *painted])
    labels = ["photo", *(f"s = {scale:g}" for scale in scales)]
    names = [painting.name, *(name for name, _ in photos)]
    return images.sheet(rows, row_labels=names, column_labels=labels, cell_px=CELL_PX)


def _corner(picture_13HW: Tensor) -> Tensor:
    """The middle of S_s, one cell large and not resized: strokes as large as they should be in the cells below."""
    height, width = picture_13HW.shape[-2:]
    top, left = max(0, (height - CELL_PX) // 2), max(0, (width - CELL_PX) // 2)
    return picture_13HW[..., top : top + CELL_PX, left : left + CELL_PX]


class TimeBudget(pl.Callback):
    """Turns a time limit into a number of steps, once, so that the learning rate anneals within it.

    The rate is measured over the first steps; the number goes into the checkpoint and stays.
    """

    WARM_UP, MEASURED = 5, 15
    RESERVE = 0.05  # checkpoints, sample grids, a machine that other programs use too

    def __init__(self, seconds: float, *, max_steps: int, validate_every_steps: int, validation_batches: int):
        self.seconds, self.max_steps = seconds, max_steps
        self.validate_every_steps, self.validation_batches = validate_every_steps, validation_batches
        self.durations: list[float] = []
        self.total_steps: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"total_steps": self.total_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total_steps = state_dict["total_steps"]

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.total_steps is not None:
            assert isinstance(module, StyleTraining)
            module.total_steps = min(self.max_steps, self.total_steps)

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        self.step_started = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        assert isinstance(module, StyleTraining)
        if self.total_steps is None:
            if module.device.type == "cuda":
                torch.cuda.synchronize()  # only while measuring
            self.durations.append(time.perf_counter() - self.step_started)
            if len(self.durations) >= self.WARM_UP + self.MEASURED:
                self._decide(trainer, module)
        elif trainer.global_step < module.total_steps:
            over = time.perf_counter() - self.started > self.seconds
            if trainer.strategy.reduce_boolean_decision(over, all=False):
                self._cut(trainer, module)

    def _cut(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        """The machine became slower than it was measured to be: the run is finished all the same."""
        log.warning("trainer.max_time is over at step %d of the %d planned", trainer.global_step, module.total_steps)
        self.total_steps = module.total_steps = trainer.global_step
        trainer.should_stop = True

    def _decide(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        step = statistics.median(self.durations[self.WARM_UP :])
        scales = len(module.stroke.inside(VALIDATION_SCALES))
        # A validation batch costs about a third of a step at each scale: it has no backward pass.
        per_step = step * (1 + self.validation_batches * scales / 3 / self.validate_every_steps)
        left = (self.seconds - (time.perf_counter() - self.started)) * (1 - self.RESERVE)
        total = trainer.global_step + max(1, int(left / per_step))
        self.total_steps = min(self.max_steps, int(trainer.strategy.broadcast(total)))  # ranks must agree
        module.total_steps = self.total_steps
        log.info("trainer.max_time leaves room for %d steps (%.2f s each)", module.total_steps, step)


class StopAtTotal(pl.Callback):
    """Ends the training at `module.total_steps`, which a time budget may have lowered."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        assert isinstance(module, StyleTraining)
        if trainer.global_step >= module.total_steps:
            trainer.should_stop = True


class StopOnSignal(pl.Callback):
    """Ctrl-C and SIGTERM end the training after the step in hand, which is then saved; a second one ends it at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received: int | None = None
        self.before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Here and not earlier: Lightning sets its own handlers at the start of fit.
        try:
            self.before = {number: signal.signal(number, self._receive) for number in self.SIGNALS}
        except ValueError:  # not in the main thread: nobody can send us signals there
            self.before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()
        log.warning("%s received: saving after this step; again to stop at once", signal.Signals(number).name)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            self.received = self.received or signal.SIGTERM  # told by another rank
            trainer.should_stop = True

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else handler)
        self.before = {}


class StreamPosition(pl.Callback):
    """Tells the data module how far the stream was used, and logs what was bad in it."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.batches_done = module.batches_done

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        for cause, count in data.bad_counts().items():
            module.log(f"data/{cause}", float(count))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        counts = ", ".join(f"{count} {cause}" for cause, count in data.bad_counts().items() if count)
        if counts:
            log.warning("flawed photos met in data.path: %s", counts)
