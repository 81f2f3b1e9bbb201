"""Which photos the inputs stand for: files, folders and patterns; and the place of each below the output folder."""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os.path import realpath  # pathlib's resolve() fails for a link that leads to itself
from pathlib import Path

from brushnet import images
from brushnet.errors import UserError
from brushnet.images.listing import is_waited_for

_MAGIC = frozenset("*?[")


@dataclass
class Found:
    """`photos`: each with its place below the output folder; a photo that is given twice comes once.

    `unreadable`: folders that could not be listed, with the cause.
    """

    photos: list[tuple[Path, Path]] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def find_photos(inputs: Sequence[Path], out: Path) -> Found:
    """Folders and patterns keep their structure. Of both what is hidden is left out, and what lies below `out`.

    UserError for an input that is not there, a folder without pictures, a pattern that none matches.
    """
    found = Found()
    seen: set[str] = set()
    for path in inputs:
        for photo, place in _of_input(path, out, found):
            if (real := realpath(photo)) not in seen:
                seen.add(real)
                found.photos.append((photo, place))
    return found


def is_pattern(path: Path) -> bool:
    """Whether a shell would have expanded it; a file of that very name comes first."""
    return bool(_MAGIC & set(str(path))) and not os.path.lexists(path)


def _of_input(path: Path, out: Path, found: Found) -> list[tuple[Path, Path]]:
    if is_pattern(path):
        return _of_pattern(path, out, found)
    if not path.exists():
        raise UserError(f"input not found: {path}; give pictures or folders")
    if not path.is_dir():
        return [(path, Path(path.name))]
    if realpath(path) == realpath(out):
        raise UserError(f"-o {out} is the input folder itself; choose another")
    photos = _in_folder(path, out, found)
    if not photos:
        raise UserError(f"{path}: no pictures in this folder (looked for {', '.join(images.SUFFIXES)})")
    return [(photo, photo.relative_to(path)) for photo in photos]


def _in_folder(folder: Path, out: Path, found: Found) -> list[Path]:
    photos = images.list_images(folder, unreadable=lambda *each: found.unreadable.append(each))
    real_folder, real_out = Path(realpath(folder)), Path(realpath(out))
    if real_folder in real_out.parents:  # what an earlier run wrote below the input is not painted again
        photos = [path for path in photos if real_out not in Path(realpath(path)).parents]
    return photos


def _of_pattern(pattern: Path, out: Path, found: Found) -> list[tuple[Path, Path]]:
    """Places are those below the last folder before the first wildcard: photos/**/*.jpg keeps what is below photos."""
    magic = next(index for index, part in enumerate(pattern.parts) if _MAGIC & set(part))
    base = Path(*pattern.parts[:magic])
    photos: set[Path] = set()
    for match in _matches(base, pattern.parts[magic:], found):
        if match.is_dir():
            photos.update(_in_folder(match, out, found))
        elif match.name.lower().endswith(images.SUFFIXES) and not is_waited_for(match):
            photos.add(match)
    real_out = Path(realpath(out))
    kept = sorted(path for path in photos if real_out not in Path(realpath(path)).parents)
    if not kept:
        raise UserError(f"{pattern}: no picture matches (looked for {', '.join(images.SUFFIXES)})")
    return [(photo, photo.relative_to(base)) for photo in kept]


def _matches(folder: Path, parts: Sequence[str], found: Found) -> Iterator[Path]:
    """Not glob's: that passes over folders it cannot read, and follows links in circles."""
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield from _matches(folder, rest or ("*",), found)
    for entry in _entries(folder, found):
        if head == "**":
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _matches(folder / entry.name, parts, found)
        elif fnmatch.fnmatch(entry.name, head) and (head.startswith(".") or not entry.name.startswith(".")):
            if not rest:
                yield folder / entry.name
            elif entry.is_dir():
                yield from _matches(folder / entry.name, rest, found)


def _entries(folder: Path, found: Found) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        told = (folder, f"folder cannot be read: {error.strerror or error}")
        if told not in found.unreadable:  # with ** it is asked twice
            found.unreadable.append(told)
        return []
