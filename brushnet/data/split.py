"""Training and validation photos: a fixed 2 % by a hash of the key, whatever the order or number of photos."""

import hashlib
import logging
from collections.abc import Iterator

from torch import Tensor

from brushnet.data.photos import decode_photo
from brushnet.data.reading import Source
from brushnet.errors import BrushnetError, ImageError

log = logging.getLogger(__name__)

VAL_FRACTION = 0.02
GIVE_UP_AFTER = 100  # bad photos in a row: the source is no collection of photos


def split(source: Source, val_photos: int) -> tuple[Source, list[int]]:
    """(training source, numbers of up to `val_photos` validation photos of `source`, each of which can be decoded)."""
    hashes = [_fraction(source.key(number)) for number in range(len(source))]
    ranked = sorted(range(len(source)), key=hashes.__getitem__)
    held_out = max(1, sum(fraction < VAL_FRACTION for fraction in hashes))
    numbers = _usable(source, ranked, held_out, val_photos)
    train = ranked[held_out:]  # by the keys alone, whatever can be read today: a resumed run needs the same photos
    if not train:
        log.info("%s: too few to hold any out; validation sees training photos", source.describe())
        return source, numbers
    return Part(source, train), numbers


def first_usable(source: Source, val_photos: int) -> list[int]:
    """Numbers of up to `val_photos` photos of a source of its own, chosen by the same hash."""
    ranked = sorted(range(len(source)), key=lambda number: _fraction(source.key(number)))
    return _usable(source, ranked, len(source), val_photos)


def _usable(source: Source, ranked: list[int], held_out: int, wanted: int) -> list[int]:
    """The first numbers that can be used. Beyond `held_out`, to training photos, only where it has found none there."""
    numbers: list[int] = []
    for looked_at, number in enumerate(ranked):
        if len(numbers) == wanted or (looked_at >= held_out and numbers):
            break
        try:
            load(source, number)
            numbers.append(number)
        except ImageError as error:
            log.warning("photo %s left out of the validation: %s", source.key(number), error)
            if not numbers and looked_at + 1 >= min(GIVE_UP_AFTER, len(ranked)):
                raise BrushnetError(
                    f"none of the first {looked_at + 1} looked at in {source.describe()} can be used; "
                    f"the last one: {error}"
                ) from error
    return numbers


def load(source: Source, number: int) -> Tensor:
    """uint8 (3, H, W); ImageError also when the file itself cannot be read."""
    try:
        return decode_photo(source.read(number))
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error


def _fraction(key: str) -> float:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64


class Part:
    """Some samples of another source, in its order."""

    def __init__(self, source: Source, numbers: list[int]) -> None:
        self.source, self.numbers = source, sorted(numbers)
        self.groups = _group_sizes(self.numbers, source.groups)
        self.lost, self.remote = source.lost, source.remote

    def __len__(self) -> int:
        return len(self.numbers)

    def key(self, number: int) -> str:
        return self.source.key(self.numbers[number])

    def place(self, number: int) -> str:
        return self.source.place(self.numbers[number])

    def read(self, number: int) -> bytes:
        return self.source.read(self.numbers[number])

    def identities(self) -> Iterator[str]:
        chosen = set(self.numbers)
        return (identity for number, identity in enumerate(self.source.identities()) if number in chosen)

    def describe(self) -> str:
        return f"{len(self)} of {self.source.describe()}"


def _group_sizes(numbers: list[int], groups: list[int]) -> list[int]:
    sizes, end, at = [], 0, 0
    for group in groups:
        end += group
        first = at
        while at < len(numbers) and numbers[at] < end:
            at += 1
        sizes.append(at - first)
    return [size for size in sizes if size]
