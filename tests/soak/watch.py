"""What a process and its children hold while they work: memory, file descriptors, threads, beside what is done by then.

Read from /proc, from outside: the process itself is the one that users run.
"""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system has no /proc")

WARM_UP = 0.25  # of what there is to do: buffers, caches and the allocator's pools are filled by then


class Sample(NamedTuple):
    seconds: float
    done: int
    cpu_seconds: float
    megabytes: float
    descriptors: int
    threads: int


def watch(process: subprocess.Popen, done: Callable[[], int], *, every_seconds: float) -> list[Sample]:
    """Samples until the process ends."""
    started = time.monotonic()
    samples = []
    while process.poll() is None:
        held = [each for each in map(_held, [process.pid, *_children(process.pid)]) if each is not None]
        if held:
            samples.append(Sample(time.monotonic() - started, done(), *np.sum(held, axis=0).tolist()))
        time.sleep(every_seconds)
    return samples


def settled(samples: Sequence[Sample]) -> list[Sample]:
    """Those after the warm-up and before the end, when workers go one by one."""
    total = samples[-1].done
    return [sample for sample in samples if WARM_UP * total < sample.done < total]


def growth(samples: Sequence[Sample], name: str) -> float:
    """By how much the whole work would let `name` grow.

    The median slope between any two samples (Theil and Sen): steady growth counts in full, one jump of an allocator's
    pool hardly.
    """
    kept = settled(samples)
    kept = kept[:: len(kept) // 400 + 1]
    done, held = np.array([(sample.done, getattr(sample, name)) for sample in kept], float).T
    early, late = np.triu_indices(len(kept), 1)
    early, late = early[done[late] > done[early]], late[done[late] > done[early]]
    return float(np.median((held[late] - held[early]) / (done[late] - done[early]))) * samples[-1].done


def slow_down(samples: Sequence[Sample]) -> float:
    """Computing time of the last quarter of the work over that of the quarter after the warm-up."""
    done = np.array([sample.done for sample in samples], float)
    # A child that ends is lost for a moment: until its parent is told of its time.
    computed = np.maximum.accumulate([sample.cpu_seconds for sample in samples])
    quarters = np.interp(np.linspace(WARM_UP, 1, 4) * done[-1], done, computed)
    first, _, last = np.diff(quarters)
    return float(last / first)


def told(samples: Sequence[Sample]) -> str:
    """For the figures of a run by hand."""
    kept, last = settled(samples), samples[-1]
    lines = [
        f"{last.done} done in {last.seconds:.0f} s ({last.cpu_seconds:.0f} computed): {slow_down(samples):.2f} slower"
    ]
    for name in ("megabytes", "descriptors", "threads"):
        values = [getattr(sample, name) for sample in kept]
        lines.append(f"{name}: {min(values):.1f} to {max(values):.1f}, growth {growth(samples, name):+.2f}")
    return "\n".join(lines)


def _held(pid: int) -> tuple[float, float, int, int] | None:
    """Seconds computed, megabytes, descriptors and threads; None for a process that has gone.

    Pages of files are left out: they are the system's, which maps and drops them as it likes.
    """
    try:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        kilobytes = sum(int(status[name].split()[0]) for name in ("RssAnon", "RssShmem"))
        ticks = map(
            int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        )  # its own and of children gone
        computed = sum(ticks) / os.sysconf("SC_CLK_TCK")
        return computed, kilobytes / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["Threads"])
    except (OSError, KeyError):  # gone, or going: then there is no memory any more
        return None


def _children(pid: int) -> list[int]:
    try:
        found = [
            int(text)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for text in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [*found, *(below for child in found for below in _children(child))]
