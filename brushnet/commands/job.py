"""One training job inside Hydra: its folder, and what is said and left behind when it fails."""

import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brushnet.commands.alone import alone_in
from brushnet.commands.command_line import changes_something, command_line
from brushnet.commands.failure import record, report
from brushnet.config.overrides import keys
from brushnet.config.saved import command_of
from brushnet.config.schema import Config
from brushnet.errors import Stopped, UserError
from brushnet.stop_signals import ending

LOG_NAME = "train.log"  # Hydra names it after the task


@dataclass(frozen=True)
class Job:
    """Called by Hydra with the composed options; picklable, so that launchers can send it elsewhere."""

    cfg: Config
    resume_from: Path | None
    allow_pipe: bool
    debug: bool
    overrides: tuple[str, ...]  # as typed
    config_dir: Path | None = None
    fork: bool = False  # whether `cfg` was made by --fork
    existing: frozenset[Path] = frozenset()  # what was there before Hydra made the folder, resolved

    def __call__(self, composed: Any) -> int:
        """Exit code. Failures are reported here, where Hydra's log file is open and its own long reports are not."""
        from hydra.core.hydra_config import HydraConfig

        out_dir = Path(HydraConfig.get().runtime.output_dir)
        try:
            alone = alone_in(out_dir, log_name=LOG_NAME) if rank() == 0 else nullcontext()  # the others are with it
            with ending(lambda: self._tidy(out_dir)), alone:
                self._train(out_dir)
        except (Exception, KeyboardInterrupt) as error:
            record(error)
            told = isinstance(error, Stopped) and rank() > 0  # by rank 0, which stops with this one
            code = Stopped.exit_code if told else report(error, debug=self.debug)
            if isinstance(error, UserError | KeyboardInterrupt):
                self._tidy(out_dir)
            return code
        return 0

    def _tidy(self, out_dir: Path) -> None:
        if self.resume_from is None and rank() == 0:
            _remove_unused(out_dir.resolve(), self.existing)

    def _train(self, out_dir: Path) -> None:
        from brushnet import build  # torch, seconds: after all that can be refused without it

        build.train(
            self.cfg,
            out_dir,
            resume_from=self.resume_from,
            allow_pipe=self.allow_pipe,
            command=self._command_line(out_dir),
            given=keys(self.overrides),
        )
        if self.cfg.trainer.evaluate and rank() == 0:
            build.evaluate_run(self.cfg, out_dir, allow_pipe=self.allow_pipe)

    def _command_line(self, out_dir: Path) -> str | None:
        typed = command_line(self.overrides, config_dir=self.config_dir, allow_pipe=self.allow_pipe, fork=self.fork)
        if self.fork or "resume" not in keys(self.overrides):
            return typed
        new = typed if changes_something(self.overrides) else None
        if self.resume_from is not None:
            return new
        from brushnet.training.command import joined  # imports torch

        return joined(command_of(out_dir), new)  # the run had saved nothing yet


def holds_run(folder: Path) -> bool:
    """Whether there is something to lose: a run that was stopped before it saved anything may start anew."""
    return (folder / "model.safetensors").exists() or any((folder / "checkpoints").glob("*.ckpt"))


def existing(folder: Path) -> frozenset[Path]:
    """What is already there of a run's folder, its parents and its log."""
    folder = folder.resolve()
    return frozenset(path for path in (folder, *folder.parents, folder / LOG_NAME) if path.exists())


def rank() -> int:
    """Number of this process in a run on several devices; known before torch is: from Lightning, torchrun or Slurm."""
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return 0


def _remove_unused(out_dir: Path, existing: frozenset[Path]) -> None:
    """A request that was refused leaves nothing behind: nothing but Hydra's log is in the folder yet."""
    log = out_dir / LOG_NAME
    if log in existing or list(out_dir.iterdir()) != [log]:
        return
    for handler in logging.getLogger().handlers[:]:  # it would open the file again, in a folder that is gone
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename) == log:
            logging.getLogger().removeHandler(handler)
            handler.close()
    log.unlink()
    for folder in (out_dir, *out_dir.parents):
        if folder in existing or any(folder.iterdir()):
            return
        folder.rmdir()
