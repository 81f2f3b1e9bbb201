"""How much a computation has to do: floating-point operations and bytes of its convolutions and matrix products."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass
class Work:
    """One (operations, bytes) for each convolution and matrix product; a multiplication and an addition are two.

    Bytes are those that each of them has to read and write, as if nothing stayed in a cache and all that lies between
    them (norms, activations, losses) were free: less is not possible layer by layer.
    """

    calls: list[tuple[float, float]] = field(default_factory=list)

    @property
    def flops(self) -> float:
        return sum(flops for flops, _ in self.calls)

    @property
    def bytes(self) -> float:
        return sum(moved for _, moved in self.calls)

    def seconds(self, *, flops_s: float, bytes_s: float) -> float:
        """The shortest time, layer by layer, where operations and traffic overlap at best."""
        return sum(max(flops / flops_s, moved / bytes_s) for flops, moved in self.calls)


def work_of(once: Callable[[], object]) -> Work:
    """Work of one call, with its backward pass if it has one; what is compiled is run as it was written."""
    counter = _Counter()
    with torch.compiler.set_stance("force_eager"), counter:
        once()
    return counter.work


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            flops = count(*args, **kwargs, out_val=out)
            self.work.calls.append((int(flops), _bytes((args, kwargs)) + _bytes(out)))
        return out


def _bytes(values: Any) -> int:
    return sum(leaf.numel() * leaf.element_size() for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
