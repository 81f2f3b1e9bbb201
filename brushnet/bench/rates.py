"""What the device can do at most: the rate of large matrix products, and of copying in its memory."""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from brushnet.bench.clock import Clock, interleaved

SIDES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192), "mps": (1024, 2048)}
SMOKE_SIDES = (64,)
COPIED_BYTES = {"cpu": 256 << 20, "cuda": 2 << 30, "mps": 256 << 20}  # far more than a cache holds
SLOW_SECONDS = 0.5  # a larger product is not tried after one that took so long: bfloat16 on an old CPU


def product_rates(clock: Clock, *, seconds: float, sides: tuple[int, ...] | None = None) -> dict[str, float]:
    """FLOP/s of square matrix products of random numbers, the best of a few sizes, by arithmetic.

    `float32` and `bfloat16`, on CUDA also `tf32`, which its convolutions in float32 use by default.
    """
    found = {"float32": _best(clock, torch.float32, seconds, sides)}
    if clock.device.type == "cuda":
        with matmul_precision("high"):
            found["tf32"] = _best(clock, torch.float32, seconds, sides)
    found["bfloat16"] = _best(clock, torch.bfloat16, seconds, sides)
    return found


def copy_rate(clock: Clock, *, seconds: float, size_bytes: int | None = None) -> float:
    """Bytes a second, read and written, of copying from one large tensor to another."""
    count = (size_bytes or COPIED_BYTES[clock.device.type]) // 4
    source, target = (torch.ones(count, device=clock.device) for _ in range(2))
    times = interleaved({"copy": lambda: target.copy_(source)}, seconds=seconds, clock=clock)
    return 2 * 4 * count / statistics.median(times["copy"])


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


def _best(clock: Clock, dtype: torch.dtype, seconds: float, sides: tuple[int, ...] | None) -> float:
    best = 0.0
    for side in sides or SIDES[clock.device.type]:
        generator = torch.Generator().manual_seed(side)
        pair = [torch.randn(side, side, generator=generator).to(clock.device, dtype) for _ in range(2)]
        out = torch.empty_like(pair[0])
        product = {"mm": lambda pair=pair, out=out: torch.mm(*pair, out=out)}
        median = statistics.median(interleaved(product, seconds=seconds, clock=clock)["mm"])
        best = max(best, 2 * side**3 / median)
        if median > SLOW_SECONDS:
            break
    return best
