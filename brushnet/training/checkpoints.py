"""When a run saves: every N steps or M minutes, where the validation loss is lowest, and at its end."""

import errno
import math
import shlex
import time
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl

from brushnet.checkpoints.folder import BEST, FOLDER, LAST, earlier, step_name
from brushnet.errors import BrushnetError
from brushnet.files import PARTIAL, remove_partial, sync_folder
from brushnet.training.faults import check_weights
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRITING = (*NO_ROOM, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)


class Checkpoints(pl.callbacks.Checkpoint):
    """Keeps `last.ckpt`, `keep - 1` files `step_N.ckpt` of before it, and `best.ckpt` in `run_dir/checkpoints`.

    The state after a step is saved when the next one starts: by then the step's row, sample grid and validation are
    written, so that a run which goes on from there neither lacks nor repeats one of them.
    """

    def __init__(
        self,
        run_dir: Path,
        metrics: MetricsCsv,
        *,
        every_steps: int,
        every_seconds: float | None,
        keep: int,
        at_start: bool = False,
    ):
        self.metrics = metrics
        self.run_dir, self.folder = run_dir, run_dir / FOLDER
        self.every_steps, self.every_seconds, self.keep, self.at_start = every_steps, every_seconds, keep, at_start
        self.best_loss: float | None = None
        self.last_step: int | None = None  # of the file last.ckpt, where that is whole
        self.resumed_step: int | None = None
        self.resumed_rows: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best_loss": self.best_loss, "rows": self.metrics.written}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_loss, self.resumed_rows = state_dict["best_loss"], state_dict["rows"]

    def resumed_from(self, checkpoint: Path, step: int) -> None:
        """The file that the run goes on from; a damaged newer one is no checkpoint to keep."""
        self.resumed_step = step
        self.last_step = step if checkpoint.resolve() == (self.folder / LAST).resolve() else None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        self.saved_at, self.saved_batches = time.monotonic(), module.batches_done
        if self.resumed_step is not None:  # not before all of the checkpoint was taken
            self.metrics.cut_after(self.resumed_step, rows=self.resumed_rows)
        if trainer.is_global_zero:
            for folder in (self.run_dir, self.folder, self.run_dir / "samples"):
                remove_partial(folder)
        if self.at_start and module.batches_done == 0:
            self.save(trainer, module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_index: int
    ) -> None:
        assert isinstance(module, StyleTraining)
        by_steps = module.batches_done % self.every_steps == 0
        if module.batches_done != self.saved_batches and (by_steps or self._is_time(trainer)):
            self.save(trainer, module)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        # Rank 0's: where two differ in the last bit, one alone would save, and wait for the other without end.
        loss = trainer.strategy.broadcast(module.last_losses["val/loss"])
        if math.isfinite(loss) and (self.best_loss is None or loss < self.best_loss):
            self.best_loss = loss
            self._write(trainer, BEST)

    def save(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        """Write `last.ckpt`. Every rank takes part. BrushnetError where the disk is full."""
        self.metrics.sync()  # before the checkpoint that counts on its rows
        self._write(trainer, LAST)
        self.last_step = trainer.global_step
        self.saved_at, self.saved_batches = time.monotonic(), module.batches_done

    def _is_time(self, trainer: pl.Trainer) -> bool:
        if self.every_seconds is None:
            return False
        over = time.monotonic() - self.saved_at >= self.every_seconds
        return bool(trainer.strategy.reduce_boolean_decision(over, all=False))

    def _write(self, trainer: pl.Trainer, name: str) -> None:
        check_weights(cast(StyleTraining, trainer.lightning_module))
        waiting = self.folder / f".{name}{PARTIAL}"
        try:
            trainer.save_checkpoint(waiting)
            if trainer.is_global_zero:
                if name == LAST:
                    self._make_room(trainer.global_step)
                waiting.replace(self.folder / name)
                sync_folder(self.folder)
        except OSError as error:
            raise unwritable(error, self.run_dir) from error

    def _make_room(self, step: int) -> None:
        """The checkpoint of before is kept under its step's name. Later ones are of a future that was left."""
        if self.keep > 1 and self.last_step is not None and self.last_step < step:
            (self.folder / LAST).replace(self.folder / step_name(self.last_step))
        before = [path for found, path in earlier(self.folder) if found < step]
        for _, path in earlier(self.folder):
            if path not in before[: self.keep - 1]:
                path.unlink(missing_ok=True)


def unwritable(error: OSError, run_dir: Path) -> BrushnetError:
    """What is said where a file of the run could not be written, or the system gave out otherwise."""
    remedy = "make room" if error.errno in NO_ROOM else "mend that"
    what = "cannot write" if error.errno in _WRITING else "the system failed with"
    return BrushnetError(
        f"{what} {error.filename or run_dir}: {error.strerror or error}; what was saved before is kept; {remedy} "
        f"and continue with: brushnet train resume={shlex.quote(str(run_dir))}"
    )
