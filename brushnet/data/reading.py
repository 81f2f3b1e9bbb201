"""Photos by number, read at random: from a folder, from shards, from several of them. A read is bounded in bytes.

A photo that cannot be read now is an OSError: it is asked for again when its turn comes. What is in it is not judged
here.
"""

import bisect
import itertools
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from brushnet import images
from brushnet.data import index
from brushnet.errors import TooLargeError

MAX_PHOTO_BYTES = 256 << 20  # 200 megapixels hardly need more, even as PNG; a disk image called a.jpg must not be read


@dataclass(frozen=True)
class Place:
    """Where a shard is: its file, perhaps in the cache, and what the user calls it."""

    path: Path
    name: str
    remote: bool = False


Remote = tuple[Place, index.Shard]  # and what its index says of it


class Source(Protocol):
    """Encoded photos, numbered 0 .. len - 1."""

    groups: list[int]  # how many of them each shard holds, in order
    lost: int  # samples of shards that are cut off, which have no number
    remote: Sequence[Remote]  # what has to be fetched

    def __len__(self) -> int: ...

    def key(self, number: int) -> str: ...

    def place(self, number: int) -> str:
        """The shard or folder that holds it, as a user knows it."""
        ...

    def read(self, number: int) -> bytes: ...

    def identities(self) -> Iterator[str]:
        """What tells each photo from others, in order, whatever lies above it: known without reading any."""
        ...

    def describe(self) -> str: ...


class UnreachableError(OSError):
    """A photo of a remote shard that has not come yet."""


class Folder:
    """Photos below a folder; the key is the path below it."""

    lost = 0
    remote: Sequence[Remote] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = [path.relative_to(folder).as_posix() for path in images.list_images(folder)]
        self.groups = [len(self.paths)]

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, number: int) -> str:
        return _printable(self.paths[number])

    def place(self, number: int) -> str:
        return _printable(str((self.folder / self.paths[number]).parent))

    def read(self, number: int) -> bytes:
        return _read(self.folder / self.paths[number])

    def identities(self) -> Iterator[str]:
        return map(ascii, self.paths)

    def describe(self) -> str:
        return f"{len(self)} photos in the folder {self.folder}"


class Shards:
    """Photos in tars, read by offset. A file is opened for each read: 15 us, and no handle to share or to leak."""

    def __init__(self, shards: Sequence[tuple[Place, index.Shard]], *, where: str, lost: int = 0) -> None:
        self.where, self.lost = where, lost
        self.remote: Sequence[Remote] = [(place, shard) for place, shard in shards if place.remote and shard.sha256]
        self.places = [place for place, _ in shards]
        self.samples = [shard.samples for _, shard in shards]
        self.groups = [len(samples) for samples in self.samples]
        self._ends = list(itertools.accumulate(self.groups))

    def __len__(self) -> int:
        return sum(self.groups)

    def key(self, number: int) -> str:
        return _printable(self._find(number)[1].key)

    def place(self, number: int) -> str:
        return _printable(self._find(number)[0].name)

    def read(self, number: int) -> bytes:
        place, sample = self._find(number)
        try:
            return _read(place.path, sample.offset, sample.size)
        except OSError as error:
            if place.remote and isinstance(error, FileNotFoundError):
                raise UnreachableError(f"{place.name} has not come yet") from error
            if error.strerror is None:  # cut off: it says of which shard
                raise
            raise type(error)(f"{_printable(place.name)}: {error.strerror}") from error

    def identities(self) -> Iterator[str]:
        return (f"{sample.key!a} {sample.size}" for samples in self.samples for sample in samples)

    def describe(self) -> str:
        lost = f" ({self.lost} lost where shards are cut off)" if self.lost else ""
        return f"{len(self)} photos in {len(self.places)} shards of {self.where}{lost}"

    def _find(self, number: int) -> tuple[Place, index.Sample]:
        shard = bisect.bisect_right(self._ends, number)
        return self.places[shard], self.samples[shard][number - self._ends[shard]]


class Joined:
    """Several sources, one after the other."""

    def __init__(self, sources: list[Source]) -> None:
        self.sources = sources
        self.groups = [group for source in sources for group in source.groups]
        self.lost = sum(source.lost for source in sources)
        self.remote: Sequence[Remote] = [shard for source in sources for shard in source.remote]
        self._ends = list(itertools.accumulate(len(source) for source in sources))

    def __len__(self) -> int:
        return self._ends[-1]

    def key(self, number: int) -> str:
        source, inner = self._find(number)
        return source.key(inner)

    def place(self, number: int) -> str:
        source, inner = self._find(number)
        return source.place(inner)

    def read(self, number: int) -> bytes:
        source, inner = self._find(number)
        return source.read(inner)

    def identities(self) -> Iterator[str]:
        return itertools.chain.from_iterable(source.identities() for source in self.sources)

    def describe(self) -> str:
        return " and ".join(source.describe() for source in self.sources)

    def _find(self, number: int) -> tuple[Source, int]:
        which = bisect.bisect_right(self._ends, number)
        return self.sources[which], number - self._ends[which] + len(self.sources[which])


def _read(path: Path, offset: int = 0, size: int | None = None) -> bytes:
    """A whole file, or `size` bytes of it. OSError also where it ends before them, TooLargeError beyond the bound."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError("not a file")  # a named pipe would be waited for without end
    size = found.st_size if size is None else size
    if size > MAX_PHOTO_BYTES:
        raise TooLargeError(f"{size} bytes: more than {MAX_PHOTO_BYTES >> 20} MiB are not read")
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise OSError(f"{path.name} is cut off at byte {found.st_size}")
    return data


def _printable(key: str) -> str:
    return key if key.isprintable() else ascii(key)  # it ends in logs, on terminals
