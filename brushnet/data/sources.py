"""What `data.path` stands for: folders and shards, found, indexed and opened."""

import glob
import os
import re
from pathlib import Path

from webdataset.shardlists import expand_urls

from brushnet import images
from brushnet.data import remote
from brushnet.data.opening import Indexes, open_tars
from brushnet.data.reading import Folder, Joined, Source
from brushnet.errors import UserError

KINDS = ("auto", "folder", "shards")
MOST_PLACES = 1_000_000
ALLOWED = "a folder of photos, a folder of shards, a .tar, a glob, a brace range, an https:// address, or several of \
them joined by ::"


def open_source(
    path: str,
    *,
    source: str = "auto",
    allow_pipe: bool = False,
    cache_dir: str | None = None,
    option: str = "data.path",
) -> Source:
    """The photos of a path. `option` is what the user calls it; each error names it.

    `allow_pipe` must come from this very command line: a saved configuration that could start a shell would be code.
    """
    if source not in KINDS:
        raise UserError(f"data.source must be one of {', '.join(KINDS)}, got {source}")
    folders: list[Source] = []
    shards: list[str] = []
    indexes = Indexes(remote.cache_folder(cache_dir))
    for place in _places(path, option, indexes):
        if place.startswith("pipe:") and not allow_pipe:
            hint = "runs a shell command; pass --allow-pipe on the command line to allow it"
            raise UserError(f"{option}={place} {hint}")
        if _is_photo_folder(place, source):
            folders.append(Folder(Path(place)))
        elif source == "folder":
            raise UserError(f"{option}={place} is no folder; data.source=folder allows nothing else")
        else:
            shards += _tars(place, option, indexes)
    sources: list[Source] = [*folders, *([open_tars(shards, indexes, where=path)] if shards else [])]
    sources = [found for found in sources if len(found)]
    if not sources:
        raise UserError(f"{option}={path} holds no photos; looked for {', '.join(images.SUFFIXES)} and for .tar shards")
    return sources[0] if len(sources) == 1 else Joined(sources)


def _places(path: str, option: str, indexes: Indexes) -> list[str]:
    """Folders, files and addresses that a path stands for; each of them exists, is listed in an index or is remote."""
    home = os.path.expanduser(path)
    if os.path.exists(home):  # braces and brackets in a folder's real name mean themselves
        return [home]
    try:
        _check_braces(path, option)
        patterns = expand_urls(path)
    except ValueError as error:
        raise UserError(f"{option}={path}: the braces do not match ({error}); allowed: {ALLOWED}") from None
    places = []
    for pattern in patterns:
        if (scheme := re.match(r"[a-z][a-z0-9+]+:", pattern)) is not None:
            if scheme[0] not in remote.SCHEMES:
                raise UserError(f"{option}={pattern}: {scheme[0]} is not supported; allowed: {ALLOWED}")
            places.append(pattern)
            continue
        pattern = os.path.expanduser(pattern)
        found = sorted(glob.glob(pattern))
        if not found and pattern.endswith(".tar") and indexes.listed(pattern) is not None:
            found = [pattern]
        if not found:
            raise UserError(f"{option}={pattern} does not exist; allowed: {ALLOWED}")
        places += found
    return places


def _check_braces(path: str, option: str) -> None:
    """A few characters can stand for more places than there is memory for: they are counted before."""
    for pattern in path.split("::"):
        count = _places_of_braces(pattern)
        if count > MOST_PLACES or count * len(pattern) > 200 * MOST_PLACES:
            raise UserError(f"{option}={pattern:.200}: the braces stand for more than {MOST_PLACES} places")


def _places_of_braces(pattern: str) -> int:
    """{a,b}{0..9} stands for 20; a list adds up, what follows each other multiplies."""
    groups = [(0, 0, 1)]  # open ones: where it starts, places of its entries so far, places of the last entry
    pattern = re.sub(r"\\.", "__", pattern)  # escaped: no braces
    for place, letter in enumerate(pattern):
        start, earlier, last = groups[-1]
        if letter == "{":
            groups.append((place + 1, 0, 1))
        elif letter == "," and len(groups) > 1:
            groups[-1] = (start, earlier + last, 1)
        elif letter == "}" and len(groups) > 1:
            span = re.fullmatch(r"(-?\d+)\.\.(-?\d+)(\.\.-?\d+)?", pattern[start:place])
            here = abs(int(span[1]) - int(span[2])) + 1 if span else earlier + last
            groups.pop()
            start, earlier, last = groups[-1]
            groups[-1] = (start, earlier, last * here)
    return groups[0][2]


def _is_photo_folder(place: str, source: str) -> bool:
    if not os.path.isdir(place) or source == "shards":
        return False
    return source == "folder" or not glob.glob(os.path.join(glob.escape(place), "*.tar"))


def _tars(place: str, option: str, indexes: Indexes) -> list[str]:
    """Tars of a place: those in a folder, listed ones that are away too, or the one that it is."""
    if os.path.isdir(place):
        there = glob.glob(os.path.join(glob.escape(place), "*.tar"))
        found = sorted({*there, *(os.path.join(place, name) for name in indexes.beside(os.path.join(place, "")))})
        if not found:
            raise UserError(f"{option}={place} holds no .tar; data.source=shards needs shards")
        return found
    if not place.startswith(remote.SCHEMES) and not place.endswith(".tar"):
        raise UserError(f"{option}={place} is neither a folder nor a .tar; allowed: {ALLOWED}")
    return [place]
