"""Photos by global sample index: read, decode, random crop, flip; bad ones are replaced and counted."""

import logging
import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from brushnet import images, seeds
from brushnet.data.decoded import Decoded
from brushnet.data.looks import STATES, pack
from brushnet.data.order import GlobalOrder
from brushnet.data.reading import Source, UnreachableError
from brushnet.errors import BrushnetError, ImageError, TooLargeError

log = logging.getLogger(__name__)

MIN_SIDE_PX = 8  # a line of pixels is no photo: enlarged to a crop it teaches stripes
SMALLEST_CROP = 0.4  # of the short side; smaller crops show textures without objects
MAX_TRIES = 20
_LOOKS = MAX_TRIES + 1  # of one sample, at most: its own photo and those in its place


def decode_photo(data: bytes, *, short_side_px: int | None = None) -> Tensor:
    """uint8 (3, H, W) of at least 8 px a side, else ImageError."""
    photo = images.decode(data, short_side_px=short_side_px)
    height, width = photo.shape[-2:]
    if min(height, width) < MIN_SIDE_PX:
        raise TooSmallError(f"{width} x {height} px: too small, {MIN_SIDE_PX} px a side at least")
    return photo


class TooSmallError(ImageError):
    """A picture that decodes and yet is of no use."""


class NoPhotosError(BrushnetError):
    """Too many bad photos in a row."""

    def __init__(self, message: str) -> None:
        # A worker's error is raised again with its whole traceback for a message: keep the line that says it.
        super().__init__(message.strip().rpartition("NoPhotosError: ")[2])


_FOR_GOOD = ("broken", "too small", "too large")


def _state(error: ImageError | OSError) -> str:
    match error:
        case TooSmallError():
            return "too small"
        case TooLargeError():
            return "too large"
        case ImageError():
            return "broken"
        case UnreachableError():
            return "unreachable"
        case _:
            return "unreadable"


class Photos(Dataset[dict[str, object]]):
    """`photos[global_index]` -> {"photo": uint8 (3, crop_px, crop_px), "index": global_index, "looks": see looks.py}.

    Never ends.
    """

    def __init__(self, source: Source, *, seed: int, crop_px: int) -> None:
        self.source, self.seed, self.crop_px = source, seed, crop_px
        self.order = GlobalOrder(source.groups, seed)
        # One byte per photo, shared with the workers, which run ahead: good for sparing work and for the log, while
        # what the run counts are the looks of samples in use. Writing it twice changes nothing: no lock.
        self.known = torch.zeros(len(source), dtype=torch.uint8).share_memory_()
        self._last_log = -math.inf
        self.decoded: Decoded | None = None

    @property
    def short_side_px(self) -> int:
        """No crop is cut from less than SMALLEST_CROP of the short side: more pixels than this are never seen."""
        return math.ceil(self.crop_px / SMALLEST_CROP)

    def __getitem__(self, global_index: int) -> dict[str, object]:
        _, number = self.order(global_index)
        looks: list[tuple[int, str]] = []
        photo = self._look(number, looks)
        if photo is None:
            photo = self._substitute(global_index, looks)
        return {
            "photo": self._crop(photo, global_index),
            "index": global_index,
            "looks": pack(looks, length=_LOOKS),
        }

    def counts(self) -> dict[str, int]:
        """Photos loaded so far by any worker and found flawed, and those lost where shards are cut off."""
        counts = torch.bincount(self.known.long(), minlength=len(STATES)).tolist()
        named = {**dict(zip(STATES[2:], counts[2:], strict=True)), "lost": self.source.lost}
        return {flaw: count for flaw, count in named.items() if count}

    def forget(self, place: str) -> None:
        """What was found bad in a shard or folder is looked at again when its turn comes."""
        for number in self.known.nonzero().flatten().tolist():
            if self.source.place(number) == place:
                self.known[number] = 0

    def _look(self, number: int, looks: list[tuple[int, str]]) -> Tensor | None:
        """The photo, or None for a bad one; what became of it is added to `looks`."""
        state, photo = STATES[int(self.known[number])], None
        if state in _FOR_GOOD:  # what replaces a photo does not depend on who found out that it is bad
            looks.append((number, state))
            return None
        try:
            photo = self._load(number)
            state = "enlarged" if min(photo.shape[-2:]) < self.crop_px else "fine"
            self.known[number] = STATES.index(state)
        except (ImageError, OSError) as error:
            before, state = state, _state(error)
            self.known[number] = STATES.index(state)
            if state != before:  # one that is tried in vain again and again, since its disk is away, is said once
                self._log_bad(number, getattr(error, "strerror", None) or str(error))
        looks.append((number, state))
        return photo

    def _load(self, number: int) -> Tensor:
        photo = self.decoded.get(number) if self.decoded else None
        if photo is None:
            photo = decode_photo(self.source.read(number), short_side_px=self.short_side_px)
            if self.decoded:
                self.decoded.put(number, photo)
        return photo

    def _log_bad(self, number: int, cause: str) -> None:
        if time.monotonic() - self._last_log >= 1:
            self._last_log = time.monotonic()
            log.warning("photo %s left out: %s (so far: %s)", self.source.key(number), cause, self._totals())

    def _totals(self) -> str:
        return ", ".join(f"{count} {flaw}" for flaw, count in self.counts().items())

    def _substitute(self, global_index: int, looks: list[tuple[int, str]]) -> Tensor:
        rng = seeds.rng(self.seed, "substitute", global_index)
        for _ in range(MAX_TRIES):
            photo = self._look(int(rng.integers(len(self.source))), looks)
            if photo is not None:
                return photo
        raise NoPhotosError(
            f"{MAX_TRIES + 1} photos in a row cannot be used, from {self.source.describe()}: {self._totals()}"
        )

    def _crop(self, photo: Tensor, global_index: int) -> Tensor:
        rng = seeds.rng(self.seed, "crop", global_index)
        height, width = photo.shape[-2:]
        short = min(height, width)
        low = min(short, max(self.crop_px, SMALLEST_CROP * short))
        side = round(math.exp(rng.uniform(math.log(low), math.log(short))))
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = images.resize(photo[:, top : top + side, left : left + side], self.crop_px, self.crop_px)
        if rng.random() < 0.5:
            crop = crop.flip(-1)
        return crop.contiguous()


class Batches(Sampler[list[int]]):
    """Endless batches of global sample indices: batch g of rank r begins (g * world_size + r) * batch_size later.

    Counted from any sample, so that a run which goes on with other ranks uses each sample once. Endless, because with
    an end the ranks would reach it at different steps, and the last one would wait for ever.
    """

    def __init__(self, batch_size: int, *, rank: int = 0, world_size: int = 1, first_sample: int = 0) -> None:
        self.batch_size, self.rank, self.world_size, self.first_sample = batch_size, rank, world_size, first_sample

    def __iter__(self) -> Iterator[list[int]]:
        first = self.first_sample + self.rank * self.batch_size
        while True:
            yield list(range(first, first + self.batch_size))
            first += self.world_size * self.batch_size
