"""The order of samples: a function of (seed, epoch) alone, so that a stream's whole state is one integer."""

from collections.abc import Sequence

import numpy as np

from brushnet import seeds

SHUFFLE_GROUPS = 8


def permutation(seed: int, epoch: int, groups: Sequence[int], shuffle_groups: int = SHUFFLE_GROUPS) -> np.ndarray:
    """Order of one epoch, int64 (number of samples,). `groups` are the numbers of samples per shard.

    Shards are permuted and taken in blocks of `shuffle_groups`; samples are permuted within a block. Few shards (or a
    folder, which is one group) get a full shuffle, while of many only a handful is read from at a time.
    """
    rng = seeds.rng(seed, "order", epoch)
    ends = np.cumsum(groups, dtype=np.int64)
    numbers = [np.arange(end - size, end) for end, size in zip(ends, groups, strict=True)]
    shards = rng.permutation(len(groups))
    blocks = [shards[first : first + shuffle_groups] for first in range(0, len(shards), shuffle_groups)]
    return np.concatenate([rng.permutation(np.concatenate([numbers[shard] for shard in block])) for block in blocks])


class GlobalOrder:
    """Global sample index -> sample number, epoch after epoch without end."""

    def __init__(self, groups: Sequence[int], seed: int) -> None:
        self.groups, self.seed = list(groups), seed
        self.size = sum(self.groups)
        self._epochs: dict[int, np.ndarray] = {}

    def __call__(self, global_index: int) -> tuple[int, int]:
        """(epoch, sample number)."""
        epoch, position = divmod(global_index, self.size)
        if epoch not in self._epochs:
            # Two are kept: the batches of several workers straddle the border between epochs.
            self._epochs = {e: order for e, order in self._epochs.items() if abs(e - epoch) == 1}
            self._epochs[epoch] = permutation(self.seed, epoch, self.groups)
        return epoch, int(self._epochs[epoch][position])
