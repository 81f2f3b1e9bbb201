"""What reading a hostile file may not do: run or write anything, take much memory, end in anything but one line."""

import os
import resource
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from brushnet.errors import BrushnetError

STARTS = ("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn",
          "subprocess.Popen", "socket.connect", "urllib.Request")  # fmt: skip
WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
LONGEST_LINE = 1200
SPARE_MB = 3000  # of address space, of which torch takes more than it uses

_told: list[str] = []
_watched_thread: int | None = None
_folder: str | None = None


def outcome(
    act: Callable[[], Any], *, names: str, most_mb: int = 150, writes_in: Path | None = None
) -> BrushnetError | None:
    """Acts; the refusal, if it was one. AssertionError where it did what a hostile file must not lead to."""
    with _bounded(most_mb), _watching(writes_in), warnings.catch_warnings(action="error"):
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # as brushnet/images.py says for all
        try:
            act()
        except BrushnetError as error:
            refusal = error
        else:
            return None
    line = str(refusal)
    assert len(line.splitlines()) == 1, f"not one line: {line!r}"
    assert len(line) <= LONGEST_LINE, f"{len(line)} characters: {line[:300]!r}"
    assert names in line, f"does not name {names}: {line!r}"
    return refusal


@contextmanager
def _watching(writes_in: Path | None) -> Iterator[None]:
    global _watched_thread, _folder
    _told.clear()
    _watched_thread, _folder = threading.get_ident(), str(writes_in) if writes_in else None
    try:
        yield
    finally:
        _watched_thread = None
        assert not _told, _told


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if threading.get_ident() != _watched_thread:
        return
    if event == "open":
        path, _, flags = arguments
        forbidden = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    else:
        path, forbidden = arguments[0] if arguments else None, event in STARTS or event in WRITES
    inside = _folder is not None and event not in STARTS and os.path.abspath(str(path)).startswith(_folder + os.sep)
    if forbidden and not inside:
        _told.append(f"{event}: {arguments!r:.200}")


sys.addaudithook(_hook)  # cannot be removed again; it does nothing but while something is watched


@contextmanager
def _bounded(most_mb: int) -> Iterator[None]:
    """Of memory that is really used, at its peak. Linux alone tells it; elsewhere nothing is measured.

    What asks for gigabytes gets a MemoryError: a bomb that goes off must not take the machine with it.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, limits = _status_mb("VmRSS"), resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, ((_status_mb("VmSize") + SPARE_MB) << 20, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    grown = _status_mb("VmHWM") - before
    assert grown <= most_mb, f"took {grown} MB, at most {most_mb} allowed"


def _status_mb(field: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(field)), 0)
