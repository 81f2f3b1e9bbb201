"""Shards from elsewhere: fetched whole, once, into a cache; from then on they are local files."""

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from time import sleep

from brushnet.data import index
from brushnet.data.transfer import RefusedError, transfer
from brushnet.errors import BrushnetError
from brushnet.files import PARTIAL

log = logging.getLogger(__name__)

SCHEMES = ("https:", "http:", "pipe:")
TRIES = 4
ABANDONED_SECONDS = 86_400.0
BACK_OFF_SECONDS = 1.0  # doubled after each try
MAX_INDEX_BYTES = 1 << 30  # of ten million photos


def cache_folder(cache_dir: str | None) -> Path:
    """`cache_dir`, else $BRUSHNET_CACHE, else ~/.cache/brushnet."""
    chosen = cache_dir or os.environ.get("BRUSHNET_CACHE") or "~/.cache/brushnet"
    return Path(os.path.expanduser(chosen))  # pathlib's own fails for a user who does not exist


def place_of(url: str, cache: Path, *, sha256: str = "") -> Path:
    """Where a shard is kept. The digest is part of the name: one that has changed at its source is fetched anew."""
    return cache / (_hash(url + sha256) + ".tar")


def fetch(
    url: str,
    cache: Path,
    *,
    listed: index.Shard | None = None,
    tries: int | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> Path:
    """Local copy of a shard. Anything but what is `listed` is refused, and nothing is kept; a damaged copy is replaced.

    BrushnetError after that many tries (TRIES unless told), or where `ended()` says that it is needed no more.
    """
    target = place_of(url, cache, sha256=listed.sha256 if listed else "")
    if is_whole(target, listed):
        return target
    log.info("fetching %s%s", url, " again: the copy in the cache is damaged" if target.exists() else "")

    def check(partial: Path) -> None:
        if listed is not None and (found := index.digest(partial)) != listed.sha256:
            cause = f"sha256 {found[:12]}…, expected {listed.sha256[:12]}…"
            raise BrushnetError(f"{url} is not what its index says: {cause}")

    _download(url, target, check, tries=tries, most_bytes=listed.bytes if listed else None, ended=ended)
    if listed is not None:
        _mark(target)
    return target


def is_whole(target: Path, listed: index.Shard | None) -> bool:
    """Whether a cached shard is there and what its index says. Its digest is computed where the file has changed."""
    if listed is None:
        return target.exists()
    try:
        if target.stat().st_size != listed.bytes:
            return False
        if _is_marked(target):
            return True
        whole = index.digest(target) == listed.sha256
    except OSError:
        return False
    if whole:
        _mark(target)
    return whole


def _is_marked(target: Path) -> bool:
    try:
        return _checked(target).read_text(errors="replace") == _mark_of(target)
    except OSError:
        return False


def _checked(target: Path) -> Path:
    return target.with_suffix(".checked")


def _mark_of(target: Path) -> str:
    found = target.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _mark(target: Path) -> None:
    """Remembers that a file had the right digest when it was last written: gigabytes need not be read at each start."""
    with contextlib.suppress(OSError):  # then it is computed again
        _checked(target).write_text(_mark_of(target))


def fetch_index(url: str, cache: Path) -> list[index.Shard] | None:
    """The index at an address, fetched every time; where that fails the last one seen; None where there is none."""
    target = cache / (_hash(url) + ".json")
    try:
        _download(url, target, lambda partial: index.parse(partial.read_bytes(), url), most_bytes=MAX_INDEX_BYTES)
        return index.parse(target.read_bytes(), url)
    except index.NoJsonError:  # some servers answer everything with a page
        cause = f"{url} is no JSON"
    except index.InvalidIndexError:
        raise
    except RefusedError as error:
        if error.status in ("404", "410"):
            return None
        cause = str(error)
    except BrushnetError as error:
        if not target.exists():
            raise
        cause = str(error)
    if target.exists():
        log.warning("%s; using the copy in %s", cause, cache)
        return index.parse(target.read_bytes(), url)
    log.warning("%s; the shards are scanned, their digests are not checked", cause)
    return None


def _download(
    url: str,
    target: Path,
    check: Callable[[Path], object],
    *,
    tries: int | None = None,
    most_bytes: int | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Under a temporary name, then renamed: ranks that fetch the same shard at once do not disturb each other.

    `check` raises for what is to be refused, before anything that was there is replaced.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        _with_retries(url, partial, tries=tries or TRIES, most_bytes=most_bytes, ended=ended)
        check(partial)
        os.replace(partial, target)
    except OSError as error:
        raise BrushnetError(f"cannot write to the cache {target.parent}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _remove_abandoned(target: Path) -> None:
    """What a killed run has left of this file, perhaps gigabytes; what was written to today may be another run's."""
    for partial in target.parent.glob(f".{target.name}.*{PARTIAL}"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > ABANDONED_SECONDS:
                partial.unlink()


def _with_retries(url: str, partial: Path, *, tries: int, most_bytes: int | None, ended: Callable[[], bool]) -> None:
    for attempt in range(tries):
        cause = transfer(url, partial, most_bytes=most_bytes, ended=ended)
        if cause is None:
            return
        if attempt + 1 < tries:
            sleep(BACK_OFF_SECONDS * 2**attempt)
    raise BrushnetError(f"cannot fetch {url} after {tries} {'try' if tries == 1 else 'tries'}: {cause}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
