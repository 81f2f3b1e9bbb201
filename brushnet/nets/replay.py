"""Paintings of one size and stroke again and again on a GPU: recorded once, then replayed (CUDA graphs).

A picture of 1080p keeps a large GPU busy for less than the host takes to launch what there is to compute: some hundred
kernels. A replay launches them all at once.

Shape letters: B batch, H W picture size, K styles.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from brushnet.nets.transformer import ResidualTransformer

log = logging.getLogger(__name__)

MOST = 4  # recordings kept: each holds the memory of a painting
WARM_UP_CALLS = 3  # before a recording: nothing may be compiled, chosen or allocated in it

_ONE_AT_A_TIME = threading.Lock()  # two recordings at once would end each other

Key = tuple[Any, ...]


class Recording:
    """`compute(photo)` on photos of the size of `photo_B3HW`, on its GPU, which need not be the current one."""

    def __init__(self, compute: Callable[[Tensor], Tensor], photo_B3HW: Tensor):
        # Out of inference mode, or the photo could not be written into outside it.
        with _ONE_AT_A_TIME, torch.inference_mode(False), torch.cuda.device(photo_B3HW.device):
            self.compute, self.photo = compute, photo_B3HW.clone()  # all that is read must live as long as this does
            self.graph, self.done = torch.cuda.CUDAGraph(), torch.cuda.Event()
            self._record()
            self.done.record()

    def _record(self) -> None:
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP_CALLS):
                self.compute(self.photo)
        here.wait_stream(aside)
        # Other threads may go on using the GPU meanwhile.
        with torch.cuda.graph(self.graph, stream=aside, capture_error_mode="thread_local"):
            self.painting = self.compute(self.photo)

    def __call__(self, photo_B3HW: Tensor) -> Tensor:
        with torch.cuda.device(self.photo.device):
            self.done.wait()  # for the painting before, which may have been asked for on another stream
            self.photo.copy_(photo_B3HW)
            self.graph.replay()
            painting = self.painting.clone()  # the next replay writes into the same memory
            self.done.record()
            return painting


class Replays:
    """A network that records what is painted a second time, by size, stroke scale, style weights and arithmetic.

    A stroke map, or a batch of several scales, is computed as ever: what there is to compute depends on its values. The
    weights must not change any more. Threads may share it, one paints at a time. Where recording fails, for want of
    memory say, a warning says why, and nothing more is recorded.
    """

    def __init__(self, net: ResidualTransformer, *, record: Callable[..., Callable[[Tensor], Tensor]] = Recording):
        self.net, self.record, self.on = net, record, True
        self.seen: OrderedDict[Key, Callable[[Tensor], Tensor] | None] = OrderedDict()
        self.lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Replays"], tuple[ResidualTransformer]]:
        """A copy begins anew: recordings are of this network's weights."""
        return Replays, (self.net,)

    def __call__(self, photo_B3HW: Tensor, log2_stroke_B1hw: Tensor, style_weights_BK: Tensor) -> Tensor:
        """As the network's. Condition on the CPU."""
        octaves = log2_stroke_B1hw.flatten()
        if not self.on or log2_stroke_B1hw.shape[-2:] != (1, 1) or (octaves != octaves[0]).any():
            return self.net(photo_B3HW, log2_stroke_B1hw, style_weights_BK)
        kind = photo_B3HW.device.type
        autocast = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
        key = (*photo_B3HW.shape, photo_B3HW.device, *autocast, float(octaves[0]), *style_weights_BK.flatten().tolist())
        with self.lock:
            if (known := self.seen.get(key)) is not None:
                self.seen.move_to_end(key)
                return known(photo_B3HW)
            again = key in self.seen
            self.seen[key] = self._recorded(photo_B3HW, log2_stroke_B1hw, style_weights_BK) if again else None
            self.seen.move_to_end(key)
            if len(self.seen) > MOST:
                self.seen.popitem(last=False)
        return self.net(photo_B3HW, log2_stroke_B1hw, style_weights_BK)

    def _recorded(self, photo: Tensor, log2_stroke: Tensor, style_weights: Tensor) -> Callable[[Tensor], Tensor] | None:
        """Of all that follows the condition: that is sent to the GPU only once."""
        kind = photo.device.type
        enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
        affines = self.net.affines(log2_stroke, style_weights, photo.device)

        def compute(photo_B3HW: Tensor) -> Tensor:
            # A weight in bfloat16 that autocast keeps for its block would be gone at a replay.
            with torch.no_grad(), torch.autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=False):
                return self.net.paint_with_affines(photo_B3HW, log2_stroke, style_weights, affines)[0]

        try:
            return self.record(compute, photo)
        except RuntimeError as error:
            self.on = False
            self.seen.clear()
            cause = " ".join(str(error).split())
            log.warning("painting cannot be recorded here, going on without: %s: %.200s", type(error).__name__, cause)
            return None
