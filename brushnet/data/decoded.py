"""Decoded photos, kept in memory for the next epoch: to decode one takes five times as long as to crop it.

The memory is shared with the loader workers, so that a photo is kept once, whoever has decoded it. It is taken only as
photos come.
"""

import mmap
import multiprocessing
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SHARE_OF_FREE = 0.25  # of the memory that is free, unless the user says how much
USUAL_EXCESS = 2.0  # a photo is no square, and a JPEG decoder reduces in eighths only
LOOK_BYTES = 64 << 20  # of photos, between looks at what is still free
CGROUP = Path("/sys/fs/cgroup")


class Decoded:
    """Up to `max_bytes` of `count` photos, uint8 (3, H, W), by number; none more once less than `least_free` is free.

    For other jobs fill the memory too: a sweep that trains many at a time starts them when it is empty.
    """

    def __init__(self, count: int, *, max_bytes: int, least_free: float = 0) -> None:
        self.max_bytes, self.least_free = max_bytes, least_free
        # Not shared by name in /dev/shm: containers have 64 MB there, and whoever fills it is killed.
        self._bytes = _shared(max_bytes, torch.uint8) if max_bytes else None
        self._places = _shared(count * 3, torch.int64).view(count, 3) if max_bytes else None  # end, height, width
        self._used = _shared(1, torch.int64) if max_bytes else None
        self._lock: AbstractContextManager[Any] = _lock()

    def get(self, number: int) -> Tensor | None:
        """Not to be written to."""
        if self._places is None or self._bytes is None:
            return None
        end, height, width = self._places[number].tolist()
        return self._bytes[end - 3 * height * width : end].view(3, height, width) if end else None

    def put(self, number: int, photo_3HW: Tensor) -> None:
        """Nothing where there is no room left."""
        if self._places is None or self._bytes is None or self._used is None:
            return
        with self._lock:
            start = int(self._used)
            end = start + photo_3HW.numel()
            if end > self.max_bytes or self._places[number, 0]:
                return
            if self.least_free and start // LOOK_BYTES != end // LOOK_BYTES and free_bytes() < self.least_free:
                self._used.fill_(self.max_bytes)  # for all workers
                return
            self._used += photo_3HW.numel()
            self._bytes[start:end] = photo_3HW.flatten()
            self._places[number, 1:] = torch.tensor(photo_3HW.shape[1:])
            self._places[number, 0] = end  # last: from now on it is found

    def __getstate__(self) -> dict[str, Any]:
        """What a worker gets that is not a copy of this process: nothing is shared with it, nothing kept by it."""
        return {"max_bytes": 0, "least_free": 0, "_bytes": None, "_places": None, "_used": None, "_lock": None}


def room_for(count: int, *, short_side_px: int, ranks: int, asked_mb: int | None) -> int:
    """Bytes to keep `count` photos in, for each of `ranks` processes: what is asked for, or all of them or none.

    A part of them would be kept for nothing in a run that is over before any photo comes again.
    """
    if asked_mb is not None:
        return (asked_mb << 20) // ranks
    needed = int(count * 3 * short_side_px**2 * USUAL_EXCESS)
    return needed if needed * ranks <= SHARE_OF_FREE * free_bytes() else 0


def free_bytes() -> int:
    """Of the machine, or of the container where that has less; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return 0
    try:
        limit, used = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # "max": no limit
        return free
    # Files that were read count as used, and are let go where the memory is needed.
    return min(free, max(0, limit - used + int(stat.get("inactive_file", 0))))


def _shared(count: int, dtype: torch.dtype) -> Tensor:
    """Zeros that a process and those that it forks see alike. OSError where there is not the memory."""
    return torch.frombuffer(mmap.mmap(-1, max(1, count) * dtype.itemsize), dtype=dtype)


def _lock() -> AbstractContextManager[Any]:
    try:
        return multiprocessing.get_context("fork").Lock()
    except (ValueError, OSError):  # no fork, or no semaphores: then no other process shares the memory either
        return threading.Lock()
