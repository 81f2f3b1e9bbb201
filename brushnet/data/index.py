"""The index of a folder of shards, `index.json`: where each sample lies, so that any can be read at once.

{"format": "brushnet-shards", "version": 1,
 "shards": [{"file": "shard-000000.tar", "sha256": "...", "bytes": N, "samples": [{"key", "offset", "size"}, ...]}]}

An index may come from elsewhere: nothing in it is believed before it is checked. `scan` makes up for a missing one.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from brushnet import images
from brushnet.errors import UserError
from brushnet.files import write_whole

NAME = "index.json"
FORMAT = "brushnet-shards"
VERSION = 1
_MOST_BYTES = 2**62  # no file is longer, and the system seeks to no place beyond
_BLOCK = 512  # of a tar; the end is marked by zero blocks
_SHARD_NAME = re.compile(r"[\w-][\w.-]*\.tar", re.ASCII)  # no separator, no leading dot: nothing outside the folder


class Sample(NamedTuple):
    """Where an encoded photo lies in its shard, in bytes."""

    key: str
    offset: int
    size: int


@dataclass(frozen=True)
class Shard:
    """One tar. `sha256` is empty for a scanned one: reading gigabytes to know it is not worth the wait."""

    file: str
    sha256: str
    bytes: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Scan:
    """What the headers of a tar say; `cut_at_byte` is None for a whole one."""

    shard: Shard
    cut_at_byte: int | None
    lost: int  # pictures that begin before the cut and end after it
    without_picture: int = 0  # samples that lack theirs: a.json where others have b.jpg and b.json


class InvalidIndexError(UserError):
    """Something in an index is wrong."""


class NoJsonError(InvalidIndexError):
    """A file called index.json, or what a server sends in its place, is no JSON at all."""


def write(shards: Iterable[Shard], folder: Path) -> None:
    entries = [{**vars(shard), "samples": [sample._asdict() for sample in shard.samples]} for shard in shards]
    content = {"format": FORMAT, "version": VERSION, "shards": entries}
    write_whole(folder / NAME, (json.dumps(content, separators=(",", ":")) + "\n").encode())


def parse(data: bytes, where: str) -> list[Shard] | None:
    """The shards of an index; None when the file is something else's index.json. A wrong value is a UserError."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NoJsonError(f"{where} is no JSON: {type(error).__name__}; delete it to have the shards scanned") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    if content.get("version") != VERSION:
        raise _invalid(where, f"version {content.get('version')!r:.60}, this brushnet reads {VERSION}")
    shards = [_shard(entry, where) for entry in _list(content, "shards", where)]
    names = [shard.file for shard in shards]
    if len(set(names)) != len(names):
        raise _invalid(where, "a shard is listed twice")
    return shards


def _shard(entry: Any, where: str) -> Shard:
    if not isinstance(entry, dict):
        raise _invalid(where, f"a shard must be an object, got {entry!r:.60}")
    file, sha256 = entry.get("file"), entry.get("sha256")
    if not (isinstance(file, str) and _SHARD_NAME.fullmatch(file)):
        raise _invalid(where, f"file must be the plain name of a .tar beside the index, got {file!r:.60}")
    if not (isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256)):
        raise _invalid(where, f"sha256 must be 64 hexadecimal digits, got {sha256!r:.80}")
    size = _count(entry, "bytes", where)
    samples = tuple(_sample(item, size, where) for item in _list(entry, "samples", where))
    return Shard(file, sha256, size, samples)


def _sample(entry: Any, shard_bytes: int, where: str) -> Sample:
    if not isinstance(entry, dict):
        raise _invalid(where, f"a sample must be an object, got {entry!r:.60}")
    key = entry.get("key")
    if not (isinstance(key, str) and key.isprintable()):
        raise _invalid(where, f"key must be printable text, got {key!r:.60}")
    sample = Sample(key, _count(entry, "offset", where), _count(entry, "size", where))
    if (end := sample.offset + sample.size) > shard_bytes:
        raise _invalid(where, f"sample {key!r:.60} ends at byte {end} of {shard_bytes}")
    return sample


def _count(entry: dict[str, Any], name: str, where: str) -> int:
    value = entry.get(name)
    if type(value) is not int or not 0 <= value <= _MOST_BYTES:
        raise _invalid(where, f"{name} must be a whole number from 0 to {_MOST_BYTES}, got {value!r:.60}")
    return value


def _list(entry: dict[str, Any], name: str, where: str) -> list[Any]:
    value = entry.get(name)
    if not isinstance(value, list):
        raise _invalid(where, f"{name} must be a list, got {value!r:.60}")
    return value


def _invalid(where: str, cause: str) -> InvalidIndexError:
    return InvalidIndexError(f"{where} is not a valid index of shards: {cause}")


def scan(path: Path) -> Scan:
    """Entry of a tar without an index, from its headers alone. Of a tar that is cut off the whole samples are kept."""
    samples: dict[str, Sample] = {}
    fits: dict[str, int] = {}
    beside: dict[str, set[str]] = {}  # key -> what else is of that sample
    length = path.stat().st_size
    end = lost = 0
    with path.open("rb") as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in _members(tar):
                    key, fit = _picture(member.name)
                    better = fit > fits.get(key, 0)
                    if member.offset_data + member.size > length:
                        lost, end = int(better), member.offset
                        if better:
                            samples.pop(key, None)
                        break
                    end = tar.offset
                    if not fit:
                        beside.setdefault(key, set()).add(member.name[len(key) :])
                    if better:
                        fits[key] = fit
                        samples[key] = Sample(key, member.offset_data, member.size)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError):  # recursion: long names for long names
            pass  # told from a good end by the missing zero block
        file.seek(end)
        whole = file.read(_BLOCK) == bytes(_BLOCK)
    usual = {each for key in samples for each in beside.get(key, ())}
    without = sum(key not in samples and bool(others & usual) for key, others in beside.items())
    shard = Shard(path.name, "", length, tuple(samples.values()))
    return Scan(shard, None if whole else min(end, length), lost, without)


def fits(path: Path, shard: Shard) -> bool:
    """Whether a file is as long as listed and its first and last sample have a header of their size where they should.

    A shard of an index that is another's is told from its own by 1 kB of it.
    """
    if path.stat().st_size != shard.bytes:
        return False
    with path.open("rb") as file:
        for sample in (*shard.samples[:1], *shard.samples[-1:]):
            if sample.offset < _BLOCK:
                return False
            file.seek(sample.offset - _BLOCK)
            try:
                member = tarfile.TarInfo.frombuf(file.read(_BLOCK), "utf-8", "surrogateescape")
            except tarfile.HeaderError:
                return False
            if not member.isreg() or member.size != sample.size:
                return False
    return True


def _picture(name: str) -> tuple[str, int]:
    """(key, fit): fit 0 is no picture, 2 the sample's own (a.jpg), 1 one for want of it (a.v2.png, or a.mask.png)."""
    extension = name.rpartition("/")[2].partition(".")[2]
    suffix = f".{extension.lower()}"
    fit = 2 if suffix in images.SUFFIXES else 1 if suffix.endswith(images.SUFFIXES) else 0
    return name[: len(name) - len(extension) - 1], fit


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if member.size < 0:  # would send tarfile round in circles
            return
        if member.isreg() and not member.issparse():
            yield member


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
