"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

import logging
import statistics
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from brushnet.training.module import StyleTraining

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5
LINE_SECONDS = 20.0


class ProgressReport(pl.Callback):
    """Step, steps/s, images/s, losses and time left. A terminal that is gone is no reason to end a training.

    Lightning's own bar counts epochs, which an endless stream does not have.
    """

    def __init__(self, *, batch_size: int):
        self.batch_size = batch_size
        self.recent: deque[float] = deque(maxlen=50)
        self.bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        self.shown = self.last = time.perf_counter()
        if not trainer.is_global_zero or not sys.stderr.isatty():
            return
        self.bar = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            auto_refresh=False,  # by a thread, which would fail by itself
        )
        self.bar.start()
        self.task = self.bar.add_task("train", total=module.total_steps, completed=trainer.global_step, note="")

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        now = time.perf_counter()
        self.recent.append(now - self.last)
        self.last = now
        due = REFRESH_SECONDS if self.bar else LINE_SECONDS
        if not trainer.is_global_zero or now - self.shown < due:
            return
        self.shown = now
        assert isinstance(module, StyleTraining)
        self._show(trainer, module)

    def on_train_end(self, *args: Any) -> None:
        if self.bar:
            with suppress(OSError):
                self.bar.stop()

    def on_exception(self, *args: Any) -> None:
        self.on_train_end()

    def _show(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        rate = 1 / statistics.median(self.recent)
        note = f"{rate:.2f} steps/s  {rate * self.batch_size * trainer.world_size:.1f} images/s  {_losses(module)}"
        if self.bar:
            total = module.total_steps
            with suppress(OSError):
                self.bar.update(self.task, completed=trainer.global_step, total=total, note=note, refresh=True)
            return
        left = (module.total_steps - trainer.global_step) / rate
        log.info("step %d/%d  %s  %s left", trainer.global_step, module.total_steps, note, _clock(left))


def _losses(module: StyleTraining) -> str:
    style = sum(float(value) for name, value in module.shown.items() if name.startswith("style/"))
    parts = {"loss": module.shown.get("loss"), "content": module.shown.get("content"), "style": style}
    return "  ".join(f"{name} {float(value):.3f}" for name, value in parts.items() if value is not None)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
