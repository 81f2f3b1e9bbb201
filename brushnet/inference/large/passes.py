"""Goes over a picture in bands: for statistics, and to put features away. Or counts what that would take.

Shape letters: C channels.
"""

import weakref
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from brushnet.errors import BrushnetError
from brushnet.inference.large.spills import Spills
from brushnet.nets.condition import Moments
from brushnet.nets.rows import Rows, Spilled, bands

MOST_BAND_ROWS = 512

Advance = Callable[[float], None]  # multiplications that were done


class BandPasses:
    """`band_bytes` is what the bands of a pass may take while they are computed."""

    def __init__(self, spills: Spills, *, band_bytes: float, advance: Advance = lambda work: None):
        self.spills, self.band_bytes, self.advance = spills, band_bytes, advance

    def moments(self, rows: Rows) -> Moments:
        merged = _Merged()
        for _, band in self.bands(rows):
            merged.add(band)
        return merged.moments()

    def spill(self, rows: Rows, *, over: Spilled | None = None) -> Spilled:
        place = self.spills.place(rows) if over is None else over
        merged = _Merged()
        for top, band in self.bands(rows):
            merged.add(band)
            place.write(top, band)
        place.moments = merged.moments()
        return place

    def bands(self, rows: Rows) -> Iterator[tuple[int, Tensor]]:
        """All of it, from the top down."""
        for top, bottom in bands(rows.height, band_rows(rows, self.band_bytes)):
            yield top, rows.read(top, bottom)
            self.advance((bottom - top) * rows.row_work)


class _Merged:
    """Mean and variance of all bands together (Chan et al. 1983, eq. 2.1), in float64."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, band_1CHW: Tensor) -> None:
        var, mean = (each.double() for each in torch.var_mean(band_1CHW, dim=(2, 3), keepdim=True, correction=0))
        fresh = band_1CHW.shape[2] * band_1CHW.shape[3]
        total = self.count + fresh
        away = mean - self.mean
        self.mean = self.mean + away * (fresh / total)
        self.squares = self.squares + var * fresh + away.square() * (self.count * fresh / total)
        self.count = total

    def moments(self) -> Moments:
        return self.mean.float(), (self.squares / self.count).float()


class CountingPasses:
    """Goes over nothing. `work` in multiplications, `most_spilled` values at a time, `row_bytes` of the widest pass."""

    def __init__(self) -> None:
        self.work, self.spilled, self.most_spilled, self.row_bytes = 0.0, 0, 0, 0.0

    def moments(self, rows: Rows) -> Moments:
        self.count(rows)
        nothing = torch.zeros(1, rows.channels, 1, 1)
        return nothing, nothing

    def spill(self, rows: Rows, *, over: Spilled | None = None) -> Spilled:
        if over is None:
            over = _Counted(rows)
            size = rows.channels * rows.height * rows.width
            self.spilled += size
            self.most_spilled = max(self.most_spilled, self.spilled)
            weakref.finalize(over, self._gone, size)
        over.moments = self.moments(rows)
        return over

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

    write = read


def band_rows(rows: Rows, band_bytes: float) -> int:
    fitting = int(band_bytes / max(1.0, rows.row_bytes))
    if fitting < 1:
        raise BrushnetError(f"a row of {rows.width} points needs {rows.row_bytes / 1e6:.0f} MB")
    return min(fitting, MOST_BAND_ROWS)
