"""Times that can be compared: taken when the device has done what it was asked, turn and turn about, as medians."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch

LEAST_ROUNDS = 3
WARM_UP = 1


class Clock:
    """Call it: seconds, once the device has nothing left to do. `now` does not wait for it."""

    def __init__(self, device: torch.device, *, now: Callable[[], float] = time.perf_counter):
        self.device, self.now = device, now

    def __call__(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return self.now()


def interleaved(
    runs: Mapping[str, Callable[[], object]],
    *,
    seconds: float,
    clock: Clock,
    warm_up: int = WARM_UP,
    least_rounds: int = LEAST_ROUNDS,
) -> dict[str, list[float]]:
    """Seconds of every call, A B A B ..., so that whatever else the machine does hits all of them alike.

    Each is called `warm_up` times unmeasured; then there are `least_rounds` rounds at least, and more until `seconds`
    for each of `runs` are over.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for once in runs.values():
        for _ in range(warm_up):
            once()
    rounds, spent = 0, 0.0
    while rounds < least_rounds or spent < seconds * len(runs):
        for name, once in runs.items():
            begun = clock()
            once()
            found[name].append(clock() - begun)
            spent += found[name][-1]
        rounds += 1
    return found


def median_rate(blocks: Sequence[tuple[int, float]], *, per_step: int) -> float:
    """Things a second, of blocks of (steps, seconds) with `per_step` things in each step: the median over blocks."""
    return statistics.median(steps * per_step / seconds for steps, seconds in blocks)
