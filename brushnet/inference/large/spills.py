"""Where bands of a picture or of features are put away: in memory as far as the budget goes, beyond it in a file.

The file has no name any more as soon as it is open: whatever ends the process, its space is free again. It is read and
written, not mapped: mapped pages would count as the process's memory.

Shape letters: C channels, H W size; bands are (1, C, rows, W).
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from brushnet.errors import BrushnetError
from brushnet.nets.norm import Moments
from brushnet.nets.rows import Rows

_SPARE_DISK_BYTES = 100_000_000  # left free for others


class Spills:
    """Gives out places. `memory_bytes` in all may lie in memory at a time; files lie in `folder`."""

    def __init__(self, *, memory_bytes: int, folder: Path, device: torch.device, dtype: torch.dtype = torch.float32):
        self.memory_bytes, self.folder, self.device, self.dtype = memory_bytes, folder, device, dtype

    def place(self, rows: Rows) -> "Spill":
        """For what `rows` gives: as large, not yet written."""
        return self.empty(rows.channels, rows.height, rows.width, dtype=self.dtype)

    def empty(self, channels: int, height: int, width: int, *, dtype: torch.dtype) -> "Spill":
        size = channels * height * width * dtype.itemsize
        if size <= self.memory_bytes:
            self.memory_bytes -= size
            spill: Spill = _InMemory(channels, height, width, dtype=dtype, device=self.device)
            weakref.finalize(spill, self._give_back, size)
            return spill
        return _InFile(channels, height, width, dtype=dtype, device=self.device, folder=self.folder)

    def _give_back(self, size: int) -> None:
        self.memory_bytes += size


class Spill:
    """Bands are float wherever they come from; integers hold [0, 1]. Moments are those of what was written last."""

    moments: Moments

    def __init__(self, channels: int, height: int, width: int, *, dtype: torch.dtype, device: torch.device):
        self.channels, self.height, self.width, self.dtype, self.device = channels, height, width, dtype, device
        self.row_bytes, self.row_work = 4.0 * channels * width, 0.0

    def read(self, top: int, bottom: int) -> Tensor:
        band = self._read(top, bottom)
        band = band.float() if self.dtype.is_floating_point else _levels(band)
        return band.to(self.device).permute(2, 0, 1)[None]

    def write(self, top: int, band: Tensor) -> None:
        rows_HWC = band[0].permute(1, 2, 0)
        if not self.dtype.is_floating_point:
            rows_HWC = rows_HWC.clamp(0, 1).mul_(_white(self.dtype)).round_()
        self._write(top, rows_HWC.to(self.dtype))

    def read_levels(self, top: int, bottom: int) -> np.ndarray:
        """(rows, W, C) as stored."""
        return self._read(top, bottom).numpy()

    def write_levels(self, top: int, levels_HWC: np.ndarray) -> None:
        self._write(top, torch.from_numpy(np.require(levels_HWC, requirements=["C", "W"])))

    def write_columns(self, left: int, levels_HWC: np.ndarray) -> None:
        """Columns of the whole height, as stored."""
        raise NotImplementedError

    def _read(self, top: int, bottom: int) -> Tensor:
        """(rows, W, C), the caller's own."""
        raise NotImplementedError

    def _write(self, top: int, rows_HWC: Tensor) -> None:
        raise NotImplementedError


class _InMemory(Spill):
    def __init__(self, channels: int, height: int, width: int, *, dtype: torch.dtype, device: torch.device):
        super().__init__(channels, height, width, dtype=dtype, device=device)
        self.rows_HWC = torch.empty(height, width, channels, dtype=dtype)

    def _read(self, top: int, bottom: int) -> Tensor:
        return self.rows_HWC[top:bottom].clone()  # it may be written over while the band is still in use

    def _write(self, top: int, rows_HWC: Tensor) -> None:
        self.rows_HWC[top : top + len(rows_HWC)] = rows_HWC

    def write_columns(self, left: int, levels_HWC: np.ndarray) -> None:
        self.rows_HWC[:, left : left + levels_HWC.shape[1]] = torch.from_numpy(
            np.require(levels_HWC, requirements=["C", "W"])
        )


class _InFile(Spill):
    def __init__(
        self, channels: int, height: int, width: int, *, dtype: torch.dtype, device: torch.device, folder: Path
    ):
        super().__init__(channels, height, width, dtype=dtype, device=device)
        self.stride = channels * width * dtype.itemsize
        self.folder = folder
        check_disk(folder, self.stride * height)
        self.file: BinaryIO = tempfile.TemporaryFile(dir=folder, prefix=".brushnet-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, self.file.close)

    def _read(self, top: int, bottom: int) -> Tensor:
        rows_HWC = torch.empty(bottom - top, self.width, self.channels, dtype=self.dtype)
        into = _bytes_of(rows_HWC)
        self.file.seek(top * self.stride)
        while len(into):  # a read gives 2 GB at most
            count = self.file.readinto(into)  # type: ignore[attr-defined]
            if not count:
                raise BrushnetError(f"a temporary file in {self.folder} has become shorter; was the disk full?")
            into = into[count:]
        return rows_HWC

    def _write(self, top: int, rows_HWC: Tensor) -> None:
        self._write_at(top * self.stride, _bytes_of(rows_HWC.cpu().contiguous()))

    def write_columns(self, left: int, levels_HWC: np.ndarray) -> None:
        place = left * self.channels * self.dtype.itemsize
        for row, levels_WC in enumerate(np.ascontiguousarray(levels_HWC)):
            self._write_at(place + row * self.stride, memoryview(levels_WC.view(np.uint8).reshape(-1)))

    def _write_at(self, place: int, left: memoryview) -> None:
        try:
            self.file.seek(place)
            while len(left):
                left = left[self.file.write(left) :]
        except OSError as error:
            raise BrushnetError(f"cannot write a temporary file in {self.folder}: {error.strerror}") from error


def check_disk(folder: Path, needed_bytes: int) -> None:
    """BrushnetError where so much does not fit. TMPDIR is where temporary files go, if it is set."""
    free = shutil.disk_usage(folder).free - _SPARE_DISK_BYTES
    if needed_bytes > free:
        raise BrushnetError(
            f"{folder} has {max(0, free) / 1e9:.1f} GB free, temporary files need {needed_bytes / 1e9:.1f} GB; "
            "set TMPDIR to a folder with more, or allow a larger --max-memory"
        )


def spill_folder(beside: Path) -> Path:
    """TMPDIR if it is set; else beside what is written: the system's own is often held in memory, or small."""
    return Path(tempfile.gettempdir()) if os.environ.get("TMPDIR") else beside


def _levels(band: Tensor) -> Tensor:
    return band.to(torch.float32).div_(_white(band.dtype))


def _white(dtype: torch.dtype) -> int:
    return int(torch.iinfo(dtype).max)


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.numpy().view(np.uint8).reshape(-1))  # type: ignore[arg-type]
