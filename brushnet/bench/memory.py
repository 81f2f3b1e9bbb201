"""How much memory a call takes at its peak, beyond what was held before it."""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

STATM = Path("/proc/self/statm")
EVERY_SECONDS = 0.001


def peak_bytes(once: Callable[[], object], device: torch.device) -> int | None:
    """None where the system does not tell: a CPU without /proc, or an MPS device.

    On CUDA what torch's allocator holds; on a CPU what the process keeps in memory, looked at a thousand times a
    second while the call runs, so that blocks which are there for less may be missed.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        once()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type != "cpu" or not STATM.is_file():
        return None
    _give_back()
    return _watched(once)


def free_bytes(device: torch.device) -> int | None:
    """Memory that is left on the device; None where the system does not tell."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch's own to use again
        return torch.cuda.mem_get_info(device)[0] + kept
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _watched(once: Callable[[], object]) -> int:
    before = highest = _resident()
    over = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(EVERY_SECONDS):
            highest = max(highest, _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        once()
    finally:
        over.set()
        watcher.join()
    return max(highest, _resident()) - before


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _give_back() -> None:
    """What glibc keeps of freed memory would be used again, unseen."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
