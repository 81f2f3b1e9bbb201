"""Painting that can be stopped within a layer's time, from another thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from brushnet.errors import Stopped


@contextmanager
def stoppable(net: nn.Module, stop: threading.Event) -> Iterator[None]:
    """Inside, the network raises Stopped at the next of its layers once `stop` is set: a large photo takes minutes."""

    def check(*_: object) -> None:
        if stop.is_set():
            raise Stopped("stopped")

    hooks = [module.register_forward_pre_hook(check) for module in net.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
