"""Learning rate by steps: a short warm-up, then down to nothing at the last step."""

import math

ONE_CYCLE_RISE = 0.3  # part of the run in which one-cycle rises (Smith and Topin 2018)
FLOOR = 0.01


def learning_rate_factor(schedule: str, step: int, *, total_steps: int, warmup_steps: int) -> float:
    """Part of the full learning rate at this step, in (0, 1]; `schedule` is `cosine` or `one-cycle`."""
    rise = warmup_steps if schedule == "cosine" else round(ONE_CYCLE_RISE * total_steps)
    rise = max(1, min(rise, total_steps // 3))
    if step < rise:
        return (step + 1) / rise
    left = min(1.0, (step - rise) / max(1, total_steps - rise))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * left))
