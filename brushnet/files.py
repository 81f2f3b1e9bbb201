"""Files that are there whole or not at all, whatever ends the program in between: a kill, a full disk, a power cut."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".part"  # suffix of what is being written; a killed program leaves it behind
_PARTIAL_CHARS = 40  # of the name: the temporary one of a long name must not be too long


_in_hand: set[Path] = set()  # what threads of this process are writing


def write_whole(path: Path, data: bytes, *, flushed: bool = True) -> None:
    """Write under a temporary name, flush to the disk, rename. Missing folders are made.

    Not `flushed` it outlives a kill, but perhaps no power cut: for what is easily made again, thousands of it.

    OSError where the disk cannot; what was there before is then still there.
    """
    with written_whole(path, flushed=flushed) as partial:
        partial.write_bytes(data)


@contextmanager
def written_whole(path: Path, *, flushed: bool = False) -> Iterator[Path]:
    """As `write_whole`, for what is written in parts: inside, under the temporary name that this gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{_short(path.name)}.{os.getpid()}{PARTIAL}")
    _in_hand.add(partial)
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb"):  # a new one: a stranger's folder may hold a link of that name
            pass
        yield partial
        if flushed:
            sync(partial)
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # renamed, or never made
            partial.unlink()
        _in_hand.discard(partial)
    if flushed:
        sync_folder(path.parent)


def _short(name: str) -> str:
    """Different for different names: threads write side by side."""
    if len(name) <= _PARTIAL_CHARS:
        return name
    return f"{name[: _PARTIAL_CHARS - 8]}{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"


def remove_in_hand() -> None:
    """Remove what is half written: for who ends the process at once, whatever its threads do."""
    for partial in tuple(_in_hand):
        with suppress(OSError):
            partial.unlink()


def sync(path: Path) -> None:
    """Flush what was written to a file to the disk, so that it outlives a power cut."""
    with path.open("r+b") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the names of a folder's files, where the system knows how to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_partial(folder: Path) -> None:
    """Remove what a killed program has left half written in a folder. Nobody else may be writing there."""
    for partial in folder.glob(f".*{PARTIAL}"):
        with suppress(OSError):
            partial.unlink()
