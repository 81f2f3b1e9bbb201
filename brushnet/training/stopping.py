"""Stopping on request: a signal saves first, a second one ends the training at once.

The signals are read by a thread of their own: the main thread may be waiting for another rank, or in the middle of a
step, and Python would not tell it before that is over.
"""

import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brushnet.errors import Stopped
from brushnet.stop_signals import AT_ONCE_WHEN_REPEATED, SIGNALS, handled_by
from brushnet.training.processes import Processes

log = logging.getLogger(__name__)

SAME_SECONDS = 0.2  # a launcher (torchrun, uv, make) passes on the Ctrl-C that the terminal has sent us already
LEAVE_SECONDS = 2.0  # to leave by an exception, which tidies up, before the process is ended as it stands
AGAIN_SECONDS = 0.1
NO_SIGNAL = 0  # another process was asked


class Interrupted(KeyboardInterrupt):
    """Python forgets a process's exit code where a KeyboardInterrupt itself came out of `exec`, as in many imports."""


class StopOnSignal(pl.Callback):
    """The first signal ends the training after the step in hand, which is then saved; a second one ends it at once.

    Before the first step there is nothing to save: a process that has no others to wait for leaves immediately.
    """

    def __init__(self, out_dir: Path) -> None:
        self.out_dir = out_dir
        self.received: int | None = None
        self.received_at = 0.0
        self.steps_began = False
        self.at_once: Stopped | None = None  # said on leaving without saving
        self.interrupted = False
        self.over = threading.Event()

    @contextmanager
    def listening(self, trainer: pl.Trainer) -> Iterator[None]:
        """Inside, the signals are ours. Raises Stopped where one of them ended the training at once."""
        # Lightning's own handlers would requeue a Slurm job, wait for other ranks inside the handler, and exit with 0.
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
        self.processes = Processes(trainer)
        with handled_by(self._in_main_thread), self._watching(), self.processes.ended():
            try:
                yield
            except (KeyboardInterrupt, SystemExit) as error:  # the second is what Lightning makes of the first
                if self.at_once is None:
                    raise
                raise self.at_once from error
            finally:
                self.over.set()

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        # Not at the end of a step: Lightning would validate before it stops, which an unbroken run does not do there.
        self.steps_began = True
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            if self.received is None:
                self.received = NO_SIGNAL
                self.processes.may_end()
                if trainer.is_global_zero:
                    log.warning("another process of the training was asked to stop: saving")
            trainer.should_stop = True

    @contextmanager
    def _watching(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        arrivals, departures = os.pipe()
        os.set_blocking(departures, False)
        before = signal.set_wakeup_fd(departures, warn_on_full_buffer=False)
        thread = threading.Thread(target=self._watch, args=(arrivals,), name="stop-signals", daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.write(departures, bytes([NO_SIGNAL]))  # its end: closing is not enough, workers have it open too
            thread.join()
            os.close(arrivals)
            os.close(departures)

    def _watch(self, arrivals: int) -> None:
        while True:
            for number in os.read(arrivals, 64):
                if number == NO_SIGNAL:
                    return
                if number in SIGNALS:
                    self._receive(number)

    def _receive(self, number: int) -> None:
        now = time.monotonic()
        if number == getattr(signal, "SIGHUP", None):
            _forget_terminal()
        if self.at_once is not None:
            return
        if not self.received:  # None, or NO_SIGNAL: a launcher asks each process in turn, this one later than another
            self.received, self.received_at = number, now
            self.processes.may_end()
            self._first(signal.Signals(number).name)
        elif number in AT_ONCE_WHEN_REPEATED and now - self.received_at > SAME_SECONDS:
            self._leave(number, Stopped(f"stopped at once; what was saved before is in {self.out_dir}"))

    def _first(self, name: str) -> None:
        if self.steps_began or not self.processes.independent:
            if getattr(rank_zero_only, "rank", 0) == 0:  # of several that a terminal asks, one answers
                log.warning("%s received: saving after this step; again to stop at once", name)
            return
        run = shlex.quote(str(self.out_dir))
        self._leave(
            self.received or signal.SIGINT,
            Stopped(f"{name} received before the first step; continue with: brushnet train resume={run}"),
        )

    def _leave(self, number: int, said: Stopped) -> None:
        """By an exception in the main thread; where that waits for a rank that is gone, without it."""
        self.at_once = said
        threading.Thread(target=self._end, args=(number,), name="stop-at-once", daemon=True).start()

    def _in_main_thread(self, number: int, frame: FrameType | None) -> None:
        if self.at_once is not None and not self.interrupted:
            self.interrupted = True
            raise Interrupted

    def _end(self, number: int) -> None:
        until = time.monotonic() + LEAVE_SECONDS
        while time.monotonic() < until:
            if not self.interrupted:  # again, if need be: one that comes just before a wait does not end that
                signal.pthread_kill(threading.main_thread().ident or 0, number)
            if self.over.wait(AGAIN_SECONDS):
                return
        self.processes.kill()
        show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
        with suppress(OSError):
            print(f"{show_cursor}brushnet: {self.at_once}", file=sys.stderr, flush=True)
        os._exit(Stopped.exit_code)


def _forget_terminal() -> None:
    """One that was closed fails on every write, and a message is no reason to end a training."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
