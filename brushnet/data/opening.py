"""Tars as a source of photos: listed in the index beside them, or scanned. Damage is told, and costs no other photo.

Photos of an index keep their numbers whatever becomes of their shard: it may be cut off, away, or not to be fetched
now. They are then photos that cannot be read, until it is back.
"""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from brushnet.data import index, remote
from brushnet.data.reading import Place, Shards
from brushnet.errors import BrushnetError, UserError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0  # the start of a run waits so long, in all, for shards that do not come


class Indexes:
    """The index beside a tar, local or not, read once for all that lie there."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._read: dict[str, dict[str, index.Shard]] = {}

    def beside(self, tar: str) -> dict[str, index.Shard]:
        """Shards by file name; empty where there is no index."""
        folder = os.path.dirname(tar)
        if folder not in self._read:
            self._read[folder] = {shard.file: shard for shard in self._shards(folder) or []}
        return self._read[folder]

    def listed(self, tar: str) -> index.Shard | None:
        return self.beside(tar).get(os.path.basename(tar))

    def _shards(self, folder: str) -> list[index.Shard] | None:
        if folder.startswith("pipe:"):
            return None
        if folder.startswith(remote.SCHEMES):
            return remote.fetch_index(f"{folder}/{index.NAME}", self.cache)
        path = Path(folder, index.NAME)
        try:
            return index.parse(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BrushnetError(f"{path} cannot be read: {error.strerror or error}") from error


def open_tars(tars: Sequence[str], indexes: Indexes, *, where: str) -> Shards:
    """BrushnetError where none can be had."""
    places = _fetched(tars, indexes)
    found, lost = [], 0
    for place in places:
        shard, missing = _shard(place, indexes.listed(place.name))
        found.append((place, shard))
        lost += missing
    return Shards(found, where=where, lost=lost)


def _fetched(tars: Sequence[str], indexes: Indexes) -> list[Place]:
    """Where each lies; remote ones are fetched. One that does not come is told, and refused if nobody has listed it."""
    places, failed, left = [], [], PATIENCE_SECONDS
    for tar in tars:
        if not tar.startswith(remote.SCHEMES):
            places.append(Place(Path(tar), tar))
            continue
        listed, started = indexes.listed(tar), time.monotonic()
        path = remote.place_of(tar, indexes.cache, sha256=listed.sha256 if listed else "")
        places.append(Place(path, tar, remote=True))
        if left <= 0 and listed is not None and not remote.is_whole(path, listed):
            failed.append(f"{tar} is left for later")
            continue
        try:
            remote.fetch(tar, indexes.cache, listed=listed)
        except BrushnetError as error:
            if listed is None or isinstance(error, UserError):
                raise
            log.warning("%s; its %d photos are left out until it comes", error, len(listed.samples))
            failed.append(str(error))
            left -= time.monotonic() - started
    if failed and len(failed) == len(places):
        raise BrushnetError(failed[0])
    if left <= 0:
        log.warning("the start waits no longer for shards: %d of %d have not come", len(failed), len(places))
    return places


def _shard(place: Place, listed: index.Shard | None) -> tuple[index.Shard, int]:
    """(its samples, how many are lost without a number). What fits to its index is not looked into."""
    try:
        if listed is not None and (place.remote or index.fits(place.path, listed)):
            return listed, 0
        scan = index.scan(place.path)
    except OSError as error:
        if listed is None:
            raise BrushnetError(f"{place.name} cannot be read: {error.strerror or error}") from error
        if not place.remote:  # that one is told already
            cause, count = error.strerror or error, len(listed.samples)
            log.warning("%s: %s; its %d photos are left out until it can be read", place.name, cause, count)
        return listed, 0
    return _scanned(place, scan, listed)


def _scanned(place: Place, scan: index.Scan, listed: index.Shard | None) -> tuple[index.Shard, int]:
    kept, cut = len(scan.shard.samples), scan.cut_at_byte
    if listed is None:
        if cut is not None:
            told = "%s is cut off at byte %d: %d photos kept, %d known to be lost"
            log.warning(told, place.name, cut, kept, scan.lost)
        if scan.without_picture:
            log.warning("%s: %d samples without a picture are left out", place.name, scan.without_picture)
        return scan.shard, scan.lost + scan.without_picture
    if cut is not None and scan.shard.samples == listed.samples[:kept]:
        told = "%s is cut off at byte %d: %d of its %d photos can be read"
        log.warning(told, place.name, cut, kept, len(listed.samples))
        return listed, 0
    told = "%s is not what its index says: it is read by its own headers, %d photos instead of %d"
    log.warning(told, place.name, kept, len(listed.samples))
    return scan.shard, max(0, len(listed.samples) - kept)
