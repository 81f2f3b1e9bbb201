"""Every random draw: a pure function of (seed, purpose, index), never of rank, worker or what was drawn before.

So a run that is resumed, or fed by another number of workers, draws what an unbroken one would have drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def rng(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Independent generator for one purpose and one index (a global sample index, an epoch, ...)."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def uniform(seed: int, purpose: str, indices_B: Tensor, low: float, high: float) -> Tensor:
    """One float32 draw in [low, high] for each global sample index. Returns (B,)."""
    draws = [rng(seed, purpose, int(index)).uniform(low, high) for index in indices_B]
    return torch.tensor(draws, dtype=torch.float32)


def spread(seed: int, purpose: str, indices_B: Tensor, low: float, high: float) -> Tensor:
    """As `uniform`, but any N indices in a row lie about evenly over [low, high], wherever they begin. Returns (B,).

    Steps of the golden ratio around a circle from a random place (an additive recurrence), in integers: exact for any
    index.
    """
    first = int(rng(seed, purpose).integers(2**63)) * 2
    places = [((first + int(index) * _GOLDEN) % 2**64) / 2**64 for index in indices_B]
    return torch.tensor([low + (high - low) * place for place in places], dtype=torch.float32)


_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / the golden ratio


def integers(seed: int, purpose: str, indices_B: Tensor, count: int) -> Tensor:
    """One int64 draw from range(count) for each global sample index. Returns (B,)."""
    return torch.tensor([int(rng(seed, purpose, int(index)).integers(count)) for index in indices_B])


def permutation(seed: int, purpose: str, index: int, length: int) -> np.ndarray:
    """Permutation of range(length), (length,) int64."""
    return rng(seed, purpose, index).permutation(length)


def derived(seed: int, purpose: str) -> int:
    """A seed of its own for one purpose (a job of a sweep), from 0 to 2**31 - 1."""
    return int(rng(seed, purpose).integers(2**31))


@contextmanager
def torch_seeded(seed: int, purpose: str) -> Iterator[None]:
    """Inside, torch's default CPU generator (weight initialisation) draws for this purpose; outside it is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, purpose).integers(2**62)))
        yield
