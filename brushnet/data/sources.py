"""Where photos come from: a folder or shards, each read at random by sample number."""

from pathlib import Path
from typing import Protocol

from brushnet import images
from brushnet.errors import UserError


class Source(Protocol):
    """Encoded photos, numbered 0 .. len - 1; `groups` says how many of them each shard holds, in order."""

    groups: list[int]

    def __len__(self) -> int: ...

    def key(self, number: int) -> str: ...

    def read(self, number: int) -> bytes: ...

    def describe(self) -> str: ...


class Folder:
    """Photos below a folder; the key is the path below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = [str(path.relative_to(folder)) for path in images.list_images(folder)]
        self.groups = [len(self.paths)]

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, number: int) -> str:
        return self.paths[number]

    def read(self, number: int) -> bytes:
        return (self.folder / self.paths[number]).read_bytes()

    def describe(self) -> str:
        return f"{len(self)} photos in the folder {self.folder}"


class Part:
    """Some samples of another source, in its order."""

    def __init__(self, source: Source, numbers: list[int]) -> None:
        self.source, self.numbers = source, sorted(numbers)
        self.groups = _group_sizes(self.numbers, source.groups)

    def __len__(self) -> int:
        return len(self.numbers)

    def key(self, number: int) -> str:
        return self.source.key(self.numbers[number])

    def read(self, number: int) -> bytes:
        return self.source.read(self.numbers[number])

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


def open_source(
    path: str,
    *,
    source: str = "auto",
    allow_pipe: bool = False,
    cache_dir: str | None = None,
    option: str = "data.path",
) -> Source:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"{option}={path} does not exist; give a folder of photos, a folder of shards, a .tar, a glob, "
            "a brace range or an https:// address"
        )
    found = Folder(folder)
    if not len(found):
        raise UserError(f"{option}={path} holds no photos; looked for {', '.join(images.SUFFIXES)}")
    return found
