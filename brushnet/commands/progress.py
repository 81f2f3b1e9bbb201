"""A progress line on standard error: on a terminal it is redrawn, elsewhere a line is written every ten seconds."""

import logging
import shutil
import sys
import time
from types import TracebackType
from typing import Self

from brushnet.commands.terminal import printable

TERMINAL_EVERY_S = 0.1
PLAIN_EVERY_S = 10.0
SURE_SHARE = 0.01  # of the first; with less it would be guessed from what begins it


class Progress:
    """`with Progress("pictures") as progress: progress.show(3, 10, "cat.jpg")`."""

    def __init__(self, unit: str):
        self.unit = unit
        self.terminal = sys.stderr.isatty()
        self.started = self.shown = time.monotonic()
        self.drawn = False

    def __enter__(self) -> Self:
        for handler in logging.getLogger().handlers:
            handler.addFilter(self._clear_line)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for handler in logging.getLogger().handlers:
            handler.removeFilter(self._clear_line)
        if self.drawn:
            print(file=sys.stderr)

    def _clear_line(self, record: logging.LogRecord) -> bool:
        """A message begins a line of its own, where the progress stood; that is drawn anew below it."""
        if self.drawn:
            print(f"\r{'':<{shutil.get_terminal_size().columns - 1}}\r", end="", file=sys.stderr, flush=True)
        return True

    def show(self, done: float, total: int, detail: str = "") -> None:
        """`done` may hold a share of what is in hand. With 0 done the clock starts: what came before was loading."""
        now = time.monotonic()
        if not done:
            self.started = now
        if now - self.shown < (TERMINAL_EVERY_S if self.terminal else PLAIN_EVERY_S) and done < total:
            return
        self.shown = now
        text = f"{_counted(done)}/{total} {self.unit}, {pace(done, total, now - self.started)}  {printable(detail)}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{text[:width]:<{width}}", end="", file=sys.stderr, flush=True)
            self.drawn = True
        elif done < total:  # the summary that follows tells the end
            print(text, file=sys.stderr)


def _counted(done: float) -> str:
    return f"{done:.2f}" if done % 1 else f"{done:.0f}"


def pace(done: float, total: int, passed_s: float) -> str:
    """How fast it goes, and how long still if it goes on so."""
    if done < SURE_SHARE:
        return "0.0/s"
    each_s = max(passed_s, 1e-9) / done
    speed = f"{1 / each_s:.1f}/s" if each_s <= 5 else f"{each_s:.0f} s each"
    return f"{speed}, {_duration((total - done) * each_s)} left" if done < total else speed


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds <= 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
