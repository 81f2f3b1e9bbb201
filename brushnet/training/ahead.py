"""Steps that the host does not wait for: it prepares the next ones while a GPU is still computing.

Reading any number of a step would make it wait until the GPU has got there. So what a step came to stays on the device
until a row of metrics is due or something is saved, and whether it counts at all is decided there: Adam and the average
leave a step out whose gradient is not finite.

Where that differs from a CPU, on which each step is looked at before the next: a step that is left out counts as one of
`trainer.max_steps` and moves the learning rate on; it is told up to `trainer.log_every_steps` later, MOST_WAITING at
most, and computed again with the weights of then.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from brushnet.training.faults import skip_step

if TYPE_CHECKING:
    from brushnet.training.module import StyleTraining

MOST_WAITING = 50  # steps that are not looked at: their batches stay on the device, 3 MB each of 16 photos of 256 px


class _Step(NamedTuple):
    number: int
    batch: dict[str, Tensor]  # on the device: looked into again where the step is not finite
    figures: Tensor  # (2,): loss, gradient norm before clipping


class StepsAhead:
    """Takes steps of `module` and looks at them later, all at once: the one place where the host waits."""

    def __init__(self, module: "StyleTraining"):
        self.module = module
        self.waiting: list[_Step] = []

    def descend(self, batch: dict[str, Tensor], loss: Tensor, norm: Tensor) -> None:
        """Moves the weights along their gradients, unless these are not finite."""
        module, finite = self.module, norm.isfinite()
        optimizer: Any = module.optimizers()
        schedule: Any = module.lr_schedulers()
        optimizer.optimizer.found_inf = (~finite).float()  # what Adam(fused=True) looks at, as for a GradScaler
        number = module.global_step + 1
        optimizer.step()
        schedule.step()
        module.ema.update_where(finite, module.net)
        self.waiting.append(_Step(number, batch, torch.stack([loss.detach().float(), norm.detach().float()])))
        if len(self.waiting) >= MOST_WAITING:
            self.look()

    def look(self) -> None:
        """Counts, warns and reports as a CPU does after each step. BrushnetError: too many bad ones in a row."""
        if not self.waiting:
            return
        steps, self.waiting = self.waiting, []
        figures = torch.stack([step.figures for step in steps]).tolist()
        for step, (loss, norm) in zip(steps, figures, strict=True):
            if math.isfinite(norm):
                self.module.note_step(norm, step=step.number)
            else:
                skip_step(self.module, step.batch, step=step.number, loss=loss, norm=norm)
