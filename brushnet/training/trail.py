"""Every tensor of a computation in its order, and whether it is finite: what a numerical fault is traced with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Figures:
    """What is to be known of one tensor; `samples` are the places in the batch whose values are not finite."""

    name: str
    shape: tuple[int, ...]
    nan: int
    infinite: int
    largest: float  # magnitude of what is finite
    samples: tuple[int, ...] = ()

    @property
    def finite(self) -> bool:
        return not (self.nan or self.infinite)

    def __str__(self) -> str:
        values = torch.Size(self.shape).numel()
        return (
            f"{self.name} of shape {self.shape}: {self.nan + self.infinite} of {values} values are not finite "
            f"({self.nan} NaN, {self.infinite} inf), the largest finite magnitude is {self.largest:.3g}"
        )


class Trail:
    """Figures of the tensors of one pass over `batch` samples, in the order in which they were computed."""

    def __init__(self, batch: int):
        self.batch = batch
        self.seen: list[Figures] = []

    def add(self, name: str, value: Tensor, *, of_samples: bool = True) -> None:
        """`of_samples`: where its first axis is as long as the batch, that is what it is."""
        self.seen.append(_figures(name, value.detach(), self.batch if of_samples else None))

    @contextmanager
    def following(self, modules: Mapping[str, nn.Module]) -> Iterator[None]:
        """Inside, what these modules compute is added, then the gradients of it and of their parameters.

        What goes into a module is added only where it is not finite: then it began between two modules.
        """
        handles = []
        for name, module in modules.items():
            handles.append(module.register_forward_pre_hook(partial(self._before, name)))
            handles.append(module.register_forward_hook(partial(self._after, name)))
            for parameter_name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    handles.append(parameter.register_hook(partial(self._gradient, f"{name}.{parameter_name}", False)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def follow_gradient(self, name: str, value: Tensor) -> None:
        """Its gradient is added once it is computed."""
        if value.requires_grad:
            value.register_hook(partial(self._gradient, name, True))

    def _before(self, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        for value in inputs:
            if isinstance(value, Tensor) and not value.isfinite().all():
                self.add(f"input of {name}", value)

    def _after(self, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        self.add(name, output)
        self.follow_gradient(name, output)

    def _gradient(self, name: str, of_samples: bool, gradient: Tensor) -> None:
        self.add(f"gradient of {name}", gradient, of_samples=of_samples)


def leaves(module: nn.Module, name: str) -> dict[str, nn.Module]:
    """Those of its modules that have none inside, by their full names."""
    found = {f"{name}.{inner}": each for inner, each in module.named_modules() if inner}
    return {inner: each for inner, each in found.items() if not any(each.children())}


def _figures(name: str, value: Tensor, batch: int | None) -> Figures:
    nan, infinite = int(value.isnan().sum()), int(value.isinf().sum())
    samples: tuple[int, ...] = ()
    if (nan or infinite) and value.ndim and len(value) == batch:
        samples = tuple((~value.isfinite()).reshape(batch, -1).any(dim=1).nonzero().flatten().tolist())
    largest = float(value.nan_to_num(0.0, 0.0, 0.0).abs().max()) if value.numel() else 0.0
    return Figures(name, tuple(value.shape), nan, infinite, largest, samples)
