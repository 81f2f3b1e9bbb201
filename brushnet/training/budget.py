"""How long a run lasts: a number of steps, or a time limit turned into one."""

import logging
import statistics
import time
from typing import Any

import pytorch_lightning as pl
import torch

from brushnet.training.module import VALIDATION_SCALES, StyleTraining

log = logging.getLogger(__name__)


class TimeBudget(pl.Callback):
    """Turns a time limit into a number of steps, once, so that the learning rate anneals within it.

    The rate is measured over the first steps; the number goes into the checkpoint and stays, unless the run is resumed
    with another limit: then it is decided anew, and the time counts from the resumption.
    """

    WARM_UP, MEASURED = 5, 15
    MOST_WATCHED = 100  # of these steps those that were recorded do not count: others of their kind are far faster
    RESERVE = 0.05  # checkpoints, sample grids, a machine that other programs use too

    def __init__(self, seconds: float, *, max_steps: int, validate_every_steps: int, validation_batches: int):
        self.seconds, self.max_steps = seconds, max_steps
        self.validate_every_steps, self.validation_batches = validate_every_steps, validation_batches
        self.durations: list[float] = []
        self.watched = self.prepared = 0
        self.total_steps: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"total_steps": self.total_steps, "seconds": self.seconds, "max_steps": self.max_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total_steps = planned_steps(state_dict, seconds=self.seconds, max_steps=self.max_steps)

    def on_fit_start(self, *args: Any) -> None:
        self.started = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        self.last = time.perf_counter()
        if self.total_steps is not None:
            module.total_steps = self.total_steps

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        assert isinstance(module, StyleTraining)
        if self.total_steps is None:
            self._measure(trainer, module)
        elif trainer.global_step < module.total_steps:
            over = time.perf_counter() - self.started > self.seconds
            if trainer.strategy.reduce_boolean_decision(over, all=False):
                self._cut(trainer, module)

    def _measure(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        """From the end of one step to that of the next: waiting for data counts too."""
        if module.device.type == "cuda":
            torch.cuda.synchronize()  # only while measuring
        now, prepared = time.perf_counter(), module.prepared
        if prepared == self.prepared or self.watched >= self.MOST_WATCHED:
            self.durations.append(now - self.last)
        self.last, self.prepared, self.watched = now, prepared, self.watched + 1
        if len(self.durations) >= self.WARM_UP + self.MEASURED:
            self._decide(trainer, module)

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

    def _cut(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        """The machine became slower than it was measured to be: the run is finished all the same."""
        log.warning("trainer.max_time is over at step %d of the %d planned", trainer.global_step, module.total_steps)
        self.total_steps = module.total_steps = trainer.global_step
        trainer.should_stop = True


def planned_steps(saved: dict[str, Any] | None, *, seconds: float, max_steps: int) -> int | None:
    """The number of steps that a checkpoint's budget was turned into, or None where the limits are other ones now."""
    if saved is None or (saved["seconds"], saved["max_steps"]) != (seconds, max_steps):
        return None
    return saved["total_steps"]


class StopAtTotal(pl.Callback):
    """Ends the training at `module.total_steps`, which a time budget may have lowered."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        assert isinstance(module, StyleTraining)
        if trainer.global_step >= module.total_steps:
            trainer.should_stop = True
