"""Shards from elsewhere: fetched whole, once, into a cache; from then on they are local files."""

import contextlib
import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import sleep

from webdataset.gopen import gopen

from brushnet.data import index
from brushnet.errors import BrushnetError, UserError

log = logging.getLogger(__name__)

SCHEMES = ("https:", "http:", "pipe:")
TRIES = 3
BACK_OFF_SECONDS = 1.0  # doubled after each try; curl has waited and retried inside each of them already
_HTTP_ERROR = 22  # curl's exit status when the server answers with an error: asking again would not help


class _RefusedError(BrushnetError):
    pass


def cache_folder(cache_dir: str | None) -> Path:
    """`cache_dir`, else $BRUSHNET_CACHE, else ~/.cache/brushnet."""
    chosen = cache_dir or os.environ.get("BRUSHNET_CACHE") or "~/.cache/brushnet"
    return Path(os.path.expanduser(chosen))  # pathlib's own fails for a user who does not exist


def fetch(url: str, cache: Path, *, sha256: str = "") -> Path:
    """Local copy of a shard. With a digest, anything else is refused and nothing is kept."""
    # The digest is part of the name: a shard that has changed at its source is fetched anew.
    target = cache / (_hash(url + sha256) + ".tar")
    if not target.exists():
        log.info("fetching %s", url)
        _download(url, target, lambda partial: _check_digest(url, partial, sha256))
    return target


def fetch_index(url: str, cache: Path) -> list[index.Shard] | None:
    """The index at an address, fetched every time; where that fails the last one seen; None where there is none."""
    target = cache / (_hash(url) + ".json")
    try:
        _download(url, target, lambda partial: index.parse(partial.read_bytes(), url))
        return index.parse(target.read_bytes(), url)
    except index.NoJsonError:  # some servers answer everything with a page
        cause = f"{url} is no JSON"
    except index.InvalidIndexError:
        raise
    except _RefusedError as error:
        if _http_status(url) in ("404", "410"):
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


def _http_status(url: str) -> str:
    """What curl does not say when it fails."""
    command = ["curl", "-gsL", "--connect-timeout", "30", "-o", os.devnull, "-w", "%{http_code}", url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _download(url: str, target: Path, check: Callable[[Path], object]) -> None:
    """Under a temporary name, then renamed: ranks that fetch the same shard at once do not disturb each other.

    `check` raises for what is to be refused, before anything that was there is replaced.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _with_retries(url, partial)
        check(partial)
        os.replace(partial, target)
    except OSError as error:
        raise BrushnetError(f"cannot write to the cache {target.parent}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _check_digest(url: str, partial: Path, sha256: str) -> None:
    if sha256 and (found := index.digest(partial)) != sha256:
        raise BrushnetError(f"{url} is not what its index says: sha256 {found[:12]}…, expected {sha256[:12]}…")


def _with_retries(url: str, partial: Path) -> None:
    for attempt in range(TRIES):
        cause = _copy(url, partial)
        if cause is None:
            return
        if attempt + 1 < TRIES:
            sleep(BACK_OFF_SECONDS * 2**attempt)
    raise BrushnetError(f"cannot fetch {url} after {TRIES} tries: {cause}")


def _copy(url: str, partial: Path) -> str | None:
    """None, or why it failed."""
    with partial.open("wb") as file:
        try:
            stream = gopen(url)
        except FileNotFoundError as error:
            raise UserError(f"cannot fetch {url}: the program {error.filename} is not installed") from error
        try:
            with stream:
                shutil.copyfileobj(stream, file)
        except OSError as error:
            if error.errno is not None:
                raise  # our side: the disk is full, say; what webdataset raises for a failed command has no errno
            if stream.status == _HTTP_ERROR and not url.startswith("pipe:"):
                raise _RefusedError(f"cannot fetch {url}: the server answers with an error (does it exist?)") from error
            return f"exit status {stream.status} of {'the command' if url.startswith('pipe:') else 'curl'}"
    return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
