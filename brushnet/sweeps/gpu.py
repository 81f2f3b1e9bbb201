"""One GPU for each process that trains beside others on a machine."""

import os
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from brushnet.errors import BrushnetError

_taken: list[IO[bytes]] = []  # held until the process ends: its next job takes the same one


def visible(count: int) -> tuple[str, ...]:
    """What CUDA calls each of the GPUs that torch counts."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return tuple(named.split(",")[:count]) if named else tuple(str(number) for number in range(count))


def take_one(gpus: tuple[str, ...], sweep_dir: Path) -> None:
    """Leaves this process a single GPU that no other process of the sweep has. Before torch looks for any."""
    if not gpus or _taken or fcntl is None:
        return
    for place, name in enumerate(gpus):
        file = (sweep_dir / f".gpu-{place}").open("ab")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _taken.append(file)
        os.environ["CUDA_VISIBLE_DEVICES"] = name
        return
    raise BrushnetError(f"all {len(gpus)} GPUs are taken by other jobs of the sweep")
