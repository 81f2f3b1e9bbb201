"""Goes over a picture in bands: for statistics, and to put features away. Or counts what that would take.

Shape letters: C channels.
"""

import math
import weakref
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from brushnet.inference.large.memory import give_back, resident_bytes
from brushnet.inference.large.spills import Spills
from brushnet.nets.norm import Moments
from brushnet.nets.rows import Rows, Spilled, bands

MOST_BAND_ROWS = 512

Advance = Callable[[float], None]  # multiplications that were done


class BandPasses:
    """`band_bytes` is what the bands of a pass may take; after one, a process of `tidy_above_bytes` is tidied up."""

    def __init__(
        self,
        spills: Spills,
        *,
        band_bytes: float,
        tidy_above_bytes: float = math.inf,
        advance: Advance = lambda work: None,
    ):
        self.spills, self.band_bytes, self.tidy_above_bytes, self.advance = (
            spills,
            band_bytes,
            tidy_above_bytes,
            advance,
        )

    def moments(self, rows: Rows) -> Moments:
        sums = _Sums()
        for _, band in self.bands(rows):
            sums.add(band)
        return sums.moments()

    def spill(self, rows: Rows, *, over: Spilled | None = None) -> Spilled:
        place = self.spills.place(rows) if over is None else over
        sums = _Sums()
        for top, band in self.bands(rows):
            sums.add(band)
            place.write(top, band)
        place.moments = sums.moments()
        return place

    def bands(self, rows: Rows) -> Iterator[tuple[int, Tensor]]:
        """All of it, from the top down."""
        for top, bottom in bands(rows.height, band_rows(rows, self.band_bytes)):
            yield top, rows.read(top, bottom)
            self.advance((bottom - top) * rows.row_work)
        if resident_bytes() > self.tidy_above_bytes:
            give_back()


class _Sums:
    """Sums of what is off from a pilot mean, that of the first band, and of its squares: float64 over the bands."""

    def __init__(self) -> None:
        self.count = 0
        self.pilot, self.sums, self.squares = torch.zeros(()), torch.zeros(()), torch.zeros(())

    def add(self, band_1CHW: Tensor) -> None:
        points_NC = band_1CHW.permute(0, 2, 3, 1).flatten(0, 2)
        if not self.count:
            self.pilot = points_NC.mean(dim=0)
        # Ten times as fast as torch.var_mean, which would take a fifth of the time of all.
        off_NC = points_NC - self.pilot
        self.count += len(off_NC)
        self.sums = self.sums + off_NC.sum(dim=0).double()
        self.squares = self.squares + off_NC.square_().sum(dim=0).double()

    def moments(self) -> Moments:
        off = self.sums / self.count
        mean, var = self.pilot.double() + off, (self.squares / self.count - off.square()).clamp_min(0)
        return mean.float().view(1, -1, 1, 1), var.float().view(1, -1, 1, 1)


class CountingPasses:
    """Goes over nothing. `work` in multiplications, `most_spilled` values at a time, `row_bytes` of the widest pass."""

    def __init__(self) -> None:
        self.work, self.spilled, self.most_spilled, self.row_bytes = 0.0, 0, 0, 0.0

    def moments(self, rows: Rows) -> Moments:
        self.count(rows)
        nothing = torch.zeros(1, rows.channels, 1, 1)
        return nothing, nothing

    def spill(self, rows: Rows, *, over: Spilled | None = None) -> Spilled:
        place = self._place(rows) if over is None else over
        place.moments = self.moments(rows)
        return place

    def _place(self, rows: Rows) -> Spilled:
        place, size = _Counted(rows), rows.channels * rows.height * rows.width
        self.spilled += size
        self.most_spilled = max(self.most_spilled, self.spilled)
        weakref.finalize(place, self._gone, size)
        return place

    def count(self, rows: Rows) -> None:
        self.work += rows.height * rows.row_work
        self.row_bytes = max(self.row_bytes, rows.row_bytes)

    def _gone(self, size: int) -> None:
        self.spilled -= size


class _Counted:
    moments: Moments

    def __init__(self, rows: Rows):
        self.channels, self.height, self.width = rows.channels, rows.height, rows.width
        self.row_bytes, self.row_work = 4.0 * rows.channels * rows.width, 0.0

    def read(self, top: int, bottom: int) -> Tensor:
        raise NotImplementedError

    def write(self, top: int, band: Tensor) -> None:
        raise NotImplementedError


def band_rows(rows: Rows, band_bytes: float) -> int:
    fitting = int(band_bytes / max(1.0, rows.row_bytes))
    assert fitting, "what passes take was counted, and compared with what is allowed"
    return min(fitting, MOST_BAND_ROWS)
