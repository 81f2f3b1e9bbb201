"""Signals that ask a training to stop: which they are, and what they do while there is nothing to save."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from brushnet.errors import Stopped

# Ctrl-C, Slurm's pre-emption and `kill`, a closed terminal; Slurm's `--signal=USR1@90`, submitit's warning, and the
# processor time of `ulimit -t`. Windows has only the first two.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
# Who repeats one of these means it. The others are repeated by themselves: SIGXCPU each second, SIGHUP by the shell.
AT_ONCE_WHEN_REPEATED = (signal.SIGINT, signal.SIGTERM)


Handler = Callable[[int, FrameType | None], Any]

received: set[int] = set()  # what has asked this process to stop, whoever it was that listened
last_words: list[Callable[[], Any]] = []  # called before a signal ends the process where it stands


@contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Inside, the signals are `handler`'s; one that is ignored (by `nohup`) stays ignored.

    But for SIGINT, which a script's shell ignores for what it starts in the background: who sends it means it.
    """
    asked = [each for each in SIGNALS if each == signal.SIGINT or signal.getsignal(each) is not signal.SIG_IGN]

    def noted(number: int, frame: FrameType | None) -> None:
        received.add(number)
        handler(number, frame)

    try:
        before = {number: signal.signal(number, noted) for number in asked}
    except ValueError:  # not in the main thread: no signal comes here
        before = {}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, signal.SIG_DFL if handler_before is None else handler_before)


@contextmanager
def ending(tidy: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Inside, they end the process where it stands: for the time in which there is nothing to save.

    Not by an exception: of 60 signals while the libraries were imported one was swallowed, one became another error,
    one aborted in C++ and one hung at exit.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in (tidy, *last_words):
            with suppress(Exception):
                each()
        with suppress(OSError):
            os.write(2, b"brushnet: stopped\n")
        os._exit(Stopped.exit_code)

    with handled_by(end):
        yield


def ignore(worker: int = 0) -> None:
    """In a process that loads data, to which a terminal and Slurm send them too; and when all is done, at exit."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
