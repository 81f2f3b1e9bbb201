"""The averaged weights, which are the ones that are saved: an exponential moving average that forgets its start."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class AveragedNet(AveragedModel):
    """A copy of the network with the averaged weights."""

    n_averaged: Tensor  # how many steps have gone in

    def __init__(self, net: nn.Module, *, decay: float):
        super().__init__(net, multi_avg_fn=ramped_average(decay))
        self.decay = decay
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def update_where(self, moved: Tensor, net: nn.Module) -> None:
        """`update_parameters` where `moved`, a bool on the device, is true; else nothing. The host waits for nothing.

        Rounded otherwise: the weight is a float32 of the device.
        """
        count = self.n_averaged.float()
        weight = 1 - ((1 + count) / (10 + count)).clamp(max=self.decay)
        weight = torch.where(self.n_averaged == 0, 1.0, weight) * moved
        averaged = [value.detach() for value in self.module.parameters()]
        step = torch._foreach_sub([value.detach() for value in net.parameters()], averaged)
        torch._foreach_mul_(step, weight)
        torch._foreach_add_(averaged, step)
        self.n_averaged += moved


def ramped_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """decay (1 + n) / (10 + n) at the n-th step until it reaches `decay`."""

    @torch.no_grad()
    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        weight = 1 - min(decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(averaged, current, weight)

    return average
