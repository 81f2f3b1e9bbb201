"""Stopping a sweep: one signal lets the jobs in hand save and end, and no other begin.

The process that the user stops leaves a marker in the sweep's folder. Those that train look for it: a signal that is
sent to them might arrive while they import or wait, and end them, for which joblib would kill all the others.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import active_children
from pathlib import Path
from types import FrameType

from brushnet.errors import Stopped
from brushnet.stop_signals import AT_ONCE_WHEN_REPEATED, SIGNALS, handled_by

MARKER = ".stop"
SAME_SECONDS = 0.2  # a launcher passes on the Ctrl-C that the terminal has sent us already
POLL_SECONDS = 0.5
REPEAT_SECONDS = 1.0

_watched: set[Path] = set()


def ask(sweep_dir: Path) -> None:
    """From any process of the sweep."""
    with suppress(OSError):  # a full disk, on which the jobs soon end by themselves
        (sweep_dir / MARKER).touch()


def asked(sweep_dir: Path) -> bool:
    return (sweep_dir / MARKER).exists()


def forget(sweep_dir: Path) -> None:
    (sweep_dir / MARKER).unlink(missing_ok=True)


@contextmanager
def marked(sweep_dir: Path) -> Iterator[None]:
    """Inside, a signal leaves the marker; a second one ends this process and all that it has started at once."""
    first_at: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not first_at:
            first_at.append(now)
            ask(sweep_dir)
            with suppress(OSError):
                os.write(2, b"brushnet: stopping the sweep: jobs in hand are saved first; again to stop at once\n")
        elif number in AT_ONCE_WHEN_REPEATED and now - first_at[0] > SAME_SECONDS:
            for process in active_children():
                process.kill()
            os._exit(Stopped.exit_code)

    with handled_by(stop):
        yield


def watch(sweep_dir: Path) -> None:
    """In a process that runs jobs: signals end it no more, but a training in it stops where the marker is left.

    It also stops when the process that started this one is gone, which would else wait for its results.
    """
    for number in SIGNALS:  # not ignored: a training would take that for `nohup`
        signal.signal(number, _nothing)
    if sweep_dir in _watched:
        return
    _watched.add(sweep_dir)
    parent = os.getppid()

    def look() -> None:
        while True:
            if os.getppid() != parent:
                ask(sweep_dir)
            if asked(sweep_dir):
                # Again and again, as nobody listens while a training is prepared. One that stops does not mind.
                os.kill(os.getpid(), getattr(signal, "SIGUSR1", signal.SIGTERM))
                time.sleep(REPEAT_SECONDS)
            else:
                time.sleep(POLL_SECONDS)

    threading.Thread(target=look, name="sweep", daemon=True).start()


def _nothing(number: int, frame: FrameType | None) -> None:
    pass
