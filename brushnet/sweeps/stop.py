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
_in_hand = threading.Event()  # a job of this process


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
            for process in active_children():  # not kill(): loky's processes have none
                with suppress(OSError):
                    os.kill(process.pid or 0, signal.SIGKILL)
            os._exit(Stopped.exit_code)

    with handled_by(stop):
        yield


@contextmanager
def watched(sweep_dir: Path) -> Iterator[None]:
    """Around a job in a process of a launcher: signals end it no more, but its training stops where the marker is left.

    It also stops when the process that started this one is gone, and this one ends then: nobody waits for it.
    """
    for number in SIGNALS:
        # Not ignored, and what `nohup` has ignored stays so: a training looks at that.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _nothing)
    if sweep_dir not in _watched:
        _watched.add(sweep_dir)
        threading.Thread(target=_look, args=(sweep_dir, os.getppid()), name="sweep", daemon=True).start()
    _in_hand.set()
    try:
        yield
    finally:
        _in_hand.clear()


def _look(sweep_dir: Path, parent: int) -> None:
    while True:
        orphan = os.getppid() != parent
        if orphan and not _in_hand.is_set():
            os._exit(Stopped.exit_code)
        if orphan or asked(sweep_dir):
            # Again and again, as nobody listens while a training is prepared. One that stops does not mind.
            os.kill(os.getpid(), getattr(signal, "SIGUSR1", signal.SIGTERM))
            time.sleep(REPEAT_SECONDS)
        else:
            time.sleep(POLL_SECONDS)


def _nothing(number: int, frame: FrameType | None) -> None:
    pass
