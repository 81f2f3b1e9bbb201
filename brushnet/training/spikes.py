"""Gradient norms far above the usual: a photo unlike the others, or the first sign that the training falls apart."""

import logging
import statistics
from collections import deque

log = logging.getLogger(__name__)

WINDOW = 100  # steps; the norm falls to a fifth within three such windows (36 to 8 in 300 steps)
FIRST = 25  # norms that a median needs
FACTOR = 10.0  # see the figures in test_spikes.py
QUIET_STEPS = 100  # after a warning


class GradientSpikes:
    """Warns of a norm, before clipping, that is FACTOR times the median of the steps before.

    What it remembers decides nothing but what is said: a resumed run begins anew.
    """

    def __init__(self, *, clip: float):
        self.clip = clip
        self.norms: deque[float] = deque(maxlen=WINDOW)
        self.count = 0
        self.said_at: int | None = None

    def see(self, norm: float, *, step: int) -> None:
        usual = statistics.median(self.norms) if len(self.norms) >= FIRST else 0.0
        self.norms.append(norm)
        if not usual or norm < FACTOR * usual:  # without any usual gradient nothing is learnt: see collapse.py
            return
        self.count += 1
        if self.said_at is None or step - self.said_at >= QUIET_STEPS:
            self.said_at = step
            done = f"clipped to {self.clip:g}" if self.clip else "not clipped, since trainer.gradient_clip=0"
            log.warning(
                "gradient spike at step %d: norm %.3g, %.3g times the usual %.3g; %s (%d spikes so far)",
                step,
                norm,
                norm / usual,
                usual,
                done,
                self.count,
            )
