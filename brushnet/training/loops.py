"""Where Lightning's loops stand, rebuilt from two numbers of ours.

What Lightning saves of them depends on the hook in which it was saved, and it then repeats or leaves out a validation
or counts a step twice; besides, a checkpoint may come from a stranger.
"""

from copy import deepcopy
from typing import Any


def loops_after(fresh: dict[str, Any], *, batches: int, steps: int) -> dict[str, Any]:
    """State of a fit loop after so many batches, `steps` of which moved the optimiser; `fresh` is that of a new one.

    All that is due after the last batch, its validation too, is done.
    """
    state = deepcopy(fresh)
    total = state["epoch_loop.batch_progress"]["total"]
    total.update(dict.fromkeys(total, batches))
    optimiser = state["epoch_loop.manual_optimization.optim_step_progress"]["total"]
    optimiser.update(dict.fromkeys(optimiser, steps))
    return state
