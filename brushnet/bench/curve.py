"""Losses over the time of a training: when it has reached what another one has, and at what times to look."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from brushnet.bench.clock import Clock


@dataclass(frozen=True)
class Point:
    """Mean losses on held-out photos after so many seconds and images; `cpu_seconds` are those of all threads."""

    seconds: float
    cpu_seconds: float
    images: int
    style: float
    content: float

    def reaches(self, goal: "Point") -> bool:
        return self.style <= goal.style and self.content <= goal.content


class Stopwatch:
    """Seconds of training: since it was made, and `already` before, but for those inside `paused()`."""

    def __init__(self, clock: Clock, *, already: float = 0.0):
        self.clock = clock
        self.begun, self.cpu_begun = clock() - already, time.process_time() - already

    @property
    def seconds(self) -> float:
        """Without waiting for the device: looked at after every step."""
        return self.clock.now() - self.begun

    @contextmanager
    def paused(self) -> Iterator[tuple[float, float]]:
        """Gives (seconds, processor seconds) until now, when the device has done all that it was asked."""
        now, cpu_now = self.clock(), time.process_time()
        yield now - self.begun, cpu_now - self.cpu_begun
        self.begun += self.clock() - now
        self.cpu_begun += time.process_time() - cpu_now


class Looks:
    """When to look: after `first` seconds, then whenever `growth` times those of the last look are over."""

    def __init__(self, *, first: float, growth: float):
        self.next, self.growth = first, growth

    def due(self, seconds: float) -> bool:
        if seconds < self.next:
            return False
        self.next = seconds * self.growth
        return True


def compare(reference: Sequence[Point], ours: Sequence[Point], *, weights: tuple[float, float]) -> dict[str, Any]:
    """Both curves, and when ours had what the reference has in the end: each loss, and their sum by its `weights`.

    `weights` are those of content and style. What was never reached is None; it may still come.
    """
    goal = reference[-1]

    def total(point: Point) -> float:
        return weights[0] * point.content + weights[1] * point.style

    both = next((point for point in ours if point.reaches(goal)), None)
    summed = next((point for point in ours if total(point) <= total(goal)), None)
    return {
        "content_weight": weights[0],
        "style_weight": weights[1],
        "reference": [asdict(point) for point in reference],
        "ours": [asdict(point) for point in ours],
        "both_reached": _beside(goal, both),
        "total_reached": _beside(goal, summed),
    }


def _beside(goal: Point, reached: Point | None) -> dict[str, Any] | None:
    """The point, and how many times sooner it came than the reference's."""
    if reached is None:
        return None
    ratios = {
        "ratio": goal.seconds / reached.seconds if reached.seconds else None,
        "cpu_ratio": goal.cpu_seconds / reached.cpu_seconds if reached.cpu_seconds else None,
    }
    return {**asdict(reached), **ratios}
