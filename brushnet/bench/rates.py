"""What the device can do at most: the rate of large matrix products, and of copying in its memory."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from brushnet.bench.clock import Clock, interleaved

SIDES = {"cpu": (512, 2048), "cuda": (1024, 8192), "mps": (512, 2048)}  # a first try, and where a device is at its best
COPIED_BYTES = {"cpu": 256 << 20, "cuda": 2 << 30, "mps": 256 << 20}  # far more than a cache holds
SLOW_SECONDS = 1.0  # the larger product is left out where it would take longer: bfloat16 on a CPU that has none


class Rates:
    """Measured in blocks, so that a training can be measured in turn with them: FLOP/s by arithmetic, bytes/s.

    `float32` and `bfloat16`, on CUDA also `tf32`, which its convolutions in float32 use by default. Products are of
    square matrices of random numbers; bytes are those read and those written.
    """

    def __init__(self, clock: Clock, *, sides: tuple[int, int] | None = None, copied_bytes: int | None = None):
        self.clock = clock
        self.sides = sides or SIDES[clock.device.type]
        self.copied_bytes = copied_bytes or COPIED_BYTES[clock.device.type]
        kinds = ["float32", *(["tf32"] if clock.device.type == "cuda" else []), "bfloat16"]
        self.side = {kind: self._fitting_side(kind) for kind in kinds}
        self.products: dict[str, list[float]] = {kind: [] for kind in kinds}
        self.copies: list[float] = []

    def block(self, *, seconds: float) -> None:
        """Measures each once more, for `seconds` in all."""
        each = seconds / (len(self.products) + 1)
        for kind, found in self.products.items():
            found.append(2 * self.side[kind] ** 3 / self._product_seconds(kind, self.side[kind], each))
        source, target = (torch.ones(self.copied_bytes // 4, device=self.clock.device) for _ in range(2))
        self.copies.append(2 * self.copied_bytes / self._median(lambda: target.copy_(source), each))

    @property
    def flops_s(self) -> dict[str, float]:
        """Medians over blocks."""
        return {kind: statistics.median(found) for kind, found in self.products.items()}

    @property
    def bytes_s(self) -> float:
        return statistics.median(self.copies)

    def _fitting_side(self, kind: str) -> int:
        small, large = self.sides
        expected = self._product_seconds(kind, small, 0) * (large / small) ** 3
        return large if expected < SLOW_SECONDS else small

    def _product_seconds(self, kind: str, side: int, seconds: float) -> float:
        generator = torch.Generator().manual_seed(side)
        dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
        a, b = (torch.randn(side, side, generator=generator).to(self.clock.device, dtype) for _ in range(2))
        out = torch.empty_like(a)
        with matmul_precision("high" if kind == "tf32" else "highest"):
            return self._median(lambda: torch.mm(a, b, out=out), seconds)

    def _median(self, once: Callable[[], object], seconds: float) -> float:
        return statistics.median(interleaved({"once": once}, seconds=seconds, clock=self.clock)["once"])


def arithmetic(device: torch.device, precision: str) -> str:
    """Which of the rates bounds the convolutions of a training in this `trainer.precision`."""
    if precision == "bf16-mixed":
        return "bfloat16"
    return "tf32" if device.type == "cuda" and torch.backends.cudnn.allow_tf32 else "float32"


@contextmanager
def matmul_precision(wanted: str) -> Iterator[None]:
    """torch's float32 matrix precision: `highest` is its default, `high` allows TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
