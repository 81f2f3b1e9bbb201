"""What goes into a step and what comes out of it.

Shape letters: B batch, H W photo size.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from brushnet.losses import Key, StyleTarget
from brushnet.training.objective import ContentPlan


class Drawn(NamedTuple):
    """Photos in [0, 1], and for each the stroke scale, the painting and the statistics that it is to get.

    `plan` comes with scales on a GPU, where it could not be read from them.
    """

    photo: Tensor
    log2_stroke: Tensor
    style: Tensor
    targets: dict[Key, StyleTarget]
    plan: ContentPlan | None = None


class Computed(NamedTuple):
    """What a step comes to but for the weights it moves: mean terms, their sum and the gradient's norm before clipping.

    All on the device, scalars.
    """

    means: dict[str, Tensor]
    loss: Tensor
    norm: Tensor


def nan_unless_finite(loss: Tensor) -> Tensor:
    """A loss that is not finite makes all gradients so, and DDP those of every process: the norm alone decides."""
    return loss * torch.where(loss.isfinite(), torch.ones_like(loss), torch.full_like(loss, math.nan))
