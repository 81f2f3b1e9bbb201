"""How much memory painting takes, and how much it may take (`--max-memory`). Read without torch."""

import ctypes
import os
import re
from collections.abc import Mapping
from contextlib import suppress

from brushnet.errors import UserError

DEFAULT_BYTES = 3_000_000_000
LEAST_BYTES = 1_000_000_000  # Python, torch and libvips alone are 0.65 GB
_UNITS: Mapping[str, int] = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)\s*")


def parse_memory(text: str) -> int:
    """Bytes, for `--max-memory`. UserError names the option, the value and what is allowed."""
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise UserError(f"--max-memory must be a size such as 2GB, 800MB or 1.5GiB, got {text!r}")
    size = round(float(match[1]) * unit)
    if size < LEAST_BYTES:
        raise UserError(f"--max-memory must be at least {LEAST_BYTES // 10**9}GB, got {text}")
    return size


def resident_bytes() -> int:
    """Of this process, now; where the system does not tell, what it takes before it paints."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 600_000_000


def give_back() -> None:
    """What was freed goes to the system: glibc keeps it, in pieces that the next pass has no use for."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
