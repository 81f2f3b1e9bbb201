"""What `data.path` stands for: folders and shards, found, indexed and opened."""

import glob
import logging
import os
import re
from pathlib import Path

from webdataset.shardlists import expand_urls

from brushnet import images
from brushnet.data import index, remote
from brushnet.data.reading import Folder, Joined, Place, Shards, Source
from brushnet.errors import UserError

log = logging.getLogger(__name__)

KINDS = ("auto", "folder", "shards")
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
    for place in _places(path, option):
        if place.startswith("pipe:") and not allow_pipe:
            hint = "runs a shell command; pass --allow-pipe on the command line to allow it"
            raise UserError(f"{option}={place} {hint}")
        if _is_photo_folder(place, source):
            folders.append(Folder(Path(place)))
        elif source == "folder":
            raise UserError(f"{option}={place} is no folder; data.source=folder allows nothing else")
        else:
            shards += _tars(place, option)
    sources = [*folders, *([_open_shards(shards, path, remote.cache_folder(cache_dir))] if shards else [])]
    sources = [found for found in sources if len(found)]
    if not sources:
        raise UserError(f"{option}={path} holds no photos; looked for {', '.join(images.SUFFIXES)} and for .tar shards")
    return sources[0] if len(sources) == 1 else Joined(sources)


def _places(path: str, option: str) -> list[str]:
    """Folders, files and addresses that a path stands for; each of them exists or is remote."""
    home = os.path.expanduser(path)
    if os.path.exists(home):  # braces and brackets in a folder's real name mean themselves
        return [home]
    try:
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
        found = sorted(glob.glob(os.path.expanduser(pattern)))
        if not found:
            raise UserError(f"{option}={pattern} does not exist; allowed: {ALLOWED}")
        places += found
    return places


def _is_photo_folder(place: str, source: str) -> bool:
    if not os.path.isdir(place) or source == "shards":
        return False
    return source == "folder" or not glob.glob(os.path.join(glob.escape(place), "*.tar"))


def _tars(place: str, option: str) -> list[str]:
    """Tars of a place: those in a folder, or the one that it is."""
    if os.path.isdir(place):
        found = sorted(glob.glob(os.path.join(glob.escape(place), "*.tar")))
        if not found:
            raise UserError(f"{option}={place} holds no .tar; data.source=shards needs shards")
        return found
    if not place.startswith(remote.SCHEMES) and not place.endswith(".tar"):
        raise UserError(f"{option}={place} is neither a folder nor a .tar; allowed: {ALLOWED}")
    return [place]


def _open_shards(tars: list[str], where: str, cache: Path) -> Source:
    indexes: dict[str, dict[str, index.Shard]] = {}
    found, lost = [], 0
    for tar in tars:
        folder, _, name = tar.rpartition("/")
        if folder not in indexes:
            indexes[folder] = {shard.file: shard for shard in _index_of(tar, cache) or []}
        listed = indexes[folder].get(name)
        path, is_remote = Path(tar), tar.startswith(remote.SCHEMES)
        if is_remote:
            path = remote.fetch(tar, cache, sha256=listed.sha256 if listed else "")
        shard, missing = _whole_samples(path, tar, listed)
        found.append((Place(path, tar, is_remote), shard))
        lost += missing
    return Shards(found, where=where, lost=lost)


def _index_of(tar: str, cache: Path) -> list[index.Shard] | None:
    if tar.startswith("pipe:"):
        return None
    if tar.startswith(remote.SCHEMES):
        return remote.fetch_index(tar.rpartition("/")[0] + "/" + index.NAME, cache)
    path = Path(tar).with_name(index.NAME)
    return index.parse(path.read_bytes(), str(path)) if path.exists() else None


def _whole_samples(path: Path, name: str, listed: index.Shard | None) -> tuple[index.Shard, int]:
    """(the samples that are there, how many are lost). A file of another size than listed is scanned instead."""
    if listed is not None and path.stat().st_size == listed.bytes:
        return listed, 0
    scan = index.scan(path)
    kept = len(scan.shard.samples)
    lost = scan.lost if listed is None else max(0, len(listed.samples) - kept)
    if scan.cut_at_byte is not None:
        log.warning("%s is cut off at byte %d: %d photos kept, %d known to be lost", name, scan.cut_at_byte, kept, lost)
    return scan.shard, lost
