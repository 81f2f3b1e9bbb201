"""Files that are there whole or not at all, whatever ends the program in between: a kill, a full disk, a power cut."""

import os
from contextlib import suppress
from pathlib import Path

PARTIAL = ".part"  # suffix of what is being written; a killed program leaves it behind
_PARTIAL_CHARS = 40  # of the name: the temporary one of a long name must not be too long


_in_hand: set[Path] = set()  # what threads of this process are writing


def write_whole(path: Path, data: bytes, *, flushed: bool = True) -> None:
    """Write under a temporary name, flush to the disk, rename. Missing folders are made.

    Not `flushed` it outlives a kill, but perhaps no power cut: for what is easily made again, thousands of it.

    OSError where the disk cannot; what was there before is then still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name[:_PARTIAL_CHARS]}.{os.getpid()}{PARTIAL}")
    _in_hand.add(partial)
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb") as file:  # a new one: a stranger's folder may hold a link of that name
            file.write(data)
        if flushed:
            sync(partial)
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # renamed, or never made
            partial.unlink()
        _in_hand.discard(partial)
    if flushed:
        sync_folder(path.parent)


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
