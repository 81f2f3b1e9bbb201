"""Rank correlation."""

import math
from collections.abc import Sequence

import numpy as np


def spearman(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    """Spearman's rank correlation, from -1 to 1; equal values share their mean rank. NaN where one does not vary."""
    first, second = (_ranks(np.asarray(values, dtype=float)) for values in (one, other))
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt((first @ first) * (second @ second))
    return float(first @ second / norm) if norm else math.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[places]
