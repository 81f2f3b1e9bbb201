"""A picture that minimises a loss, found by Adam over its pixels.

Shape letters: H W picture size.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from brushnet.errors import BrushnetError

LEARNING_RATE = 0.03  # in pixel values; 0.06 left traces of the pooling grid at the same loss
BETAS = (0.9, 0.99)  # a memory of 100 steps: of 1000, as is usual, would be longer than the whole descent

Progress = Callable[[str], None]  # called after each step with what it found


def descend(
    start_13HW: Tensor, loss: Callable[[Tensor, int], Tensor], *, iterations: int, progress: Progress | None = None
) -> Tensor:
    """The picture in [0, 1] that this many steps lead to; `loss(picture, step)` is a single number.

    Adam and not L-BFGS (Gatys et al. 2016): pixels can be held in [0, 1], and the loss may differ from step to step. Of
    `moments` both had the same loss after 60 steps, within a tenth. BrushnetError where the loss is not finite.
    """
    picture = start_13HW.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([picture], lr=LEARNING_RATE, betas=BETAS)
    for step in range(iterations):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / iterations)) / 2
        optimizer.zero_grad()
        value = loss(picture, step)
        value.backward()
        optimizer.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
        _report(float(value.detach()), progress)
    return picture.detach()


def _report(value: float, progress: Progress | None) -> None:
    if not math.isfinite(value):
        raise BrushnetError("the loss is not finite; a smaller --style-weight may help")
    if progress:
        progress(f"loss {value:.4f}")
