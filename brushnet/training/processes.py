"""The other processes of a run, which may not outlive it: ranks that Lightning started, and those that load data."""

import logging
import multiprocessing
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytorch_lightning as pl
import torch

from brushnet.errors import BrushnetError, Stopped

log = logging.getLogger(__name__)

KILLED_SECONDS = 2.0  # longer than that only a process takes that waits for a disk which hangs
END_SECONDS = 10.0  # ranks end within a second of each other, unless one of them waits for another that is gone


class Processes:
    """Of one trainer, known from before it starts them."""

    def __init__(self, trainer: pl.Trainer) -> None:
        self.trainer = trainer
        self.others = set(multiprocessing.active_children())  # a Python program's, which trains in one of its own
        environment = getattr(trainer.strategy, "cluster_environment", None)
        launched = trainer.world_size > 1 and environment is not None and environment.creates_processes_externally
        self.independent = not launched  # nobody waits for this process that it could not end itself

    def may_end(self) -> None:
        """Lightning kills this process when another rank ends with a code that is not 0, which 3 and 1 are not."""
        for thread in threading.enumerate():
            if thread.name == "child-process-observer":
                thread._child_processes = []  # type: ignore[attr-defined]

    @contextmanager
    def ended(self) -> Iterator[None]:
        """On leaving, every one of them has ended. BrushnetError where one failed and nothing else says so."""
        try:
            yield
        finally:
            self.may_end()
            _leave_group()
            failed = self._wait()
            self.kill()
        if failed:  # it could not be told of by the training's own exchange, which was over
            raise BrushnetError(f"another process of the training failed with exit code {failed[0]}; see what it said")

    def _wait(self) -> list[int]:
        """Exit codes of the ranks that failed. One that was asked to stop has not, nor one that hangs at its end."""
        until, codes = time.monotonic() + END_SECONDS, []
        for rank in self._ranks():
            try:
                codes.append(rank.wait(max(0.0, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                log.warning("process %d of the training did not end by itself and was killed", rank.pid)
        return [code for code in codes if code not in (0, Stopped.exit_code)]

    def kill(self) -> None:
        """None of them is there any more when this returns, but one that the system itself holds."""
        ranks, loaders = self._ranks(), set(multiprocessing.active_children()) - self.others
        for rank in ranks:
            rank.kill()
        for loader in loaders:
            loader.kill()
        for rank in ranks:
            with suppress(subprocess.TimeoutExpired):
                rank.wait(KILLED_SECONDS)
        for loader in loaders:
            loader.join(KILLED_SECONDS)

    def _ranks(self) -> list["subprocess.Popen[bytes]"]:
        return list(getattr(self.trainer.strategy.launcher, "procs", []))


def _leave_group() -> None:
    """Gloo, left to Python's end, may abort there. NCCL's end waits for what is under way; Lightning sees to that."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized() and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()
