"""Photos -> WebDataset shards: `KEY.jpg` in tars of even size, and an index of where each lies."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from webdataset.writer import ShardWriter

from brushnet import images
from brushnet.data import index
from brushnet.data.photos import MIN_SIDE_PX, decode_photo
from brushnet.errors import BrushnetError, ImageError, UserError

SHARDS = "shard-%06d.tar"
_CHUNK = 64  # photos in memory at a time


@dataclass(frozen=True)
class PackReport:
    """`skipped` holds (path below the folder, why)."""

    written: int = 0
    shards: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def pack(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    short_side_px: int = 320,
    shard_mb: float = 64,
    quality: int = 92,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PackReport:
    """Pack all photos below `folder` into `out`; `progress(done, total)` is called as they pass.

    The same folder gives the same bytes. Shards appear in `out` when all are written, the index last; `force` replaces
    the shards that were there. Photos lie upright, their short side is at most `short_side_px`, metadata is left out.
    """
    folder, out = Path(folder), Path(out)
    _check_options(short_side_px, shard_mb, quality)
    paths = _photos(folder)
    _check_free(out, force)
    out.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".packing-", dir=out))
    try:
        shards, skipped = _write_shards(folder, paths, partial, short_side_px, shard_mb, quality, progress)
        if not shards:
            path, cause = skipped[0]
            raise BrushnetError(f"none of {len(paths)} photos in {folder} can be used; the first: {path}: {cause}")
        _publish(shards, partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return PackReport(sum(len(shard.samples) for shard in shards), len(shards), sorted(skipped))


def _check_options(short_side_px: int, shard_mb: float, quality: int) -> None:
    if short_side_px < MIN_SIDE_PX:
        raise UserError(f"--short-side must be at least {MIN_SIDE_PX} px, got {short_side_px}")
    if not 0 < shard_mb < float("inf"):
        raise UserError(f"--shard-mb must be above 0, got {shard_mb}")
    if not 1 <= quality <= 100:
        raise UserError(f"--quality must lie between 1 and 100, got {quality}")


def _photos(folder: Path) -> list[str]:
    """Paths below the folder, shuffled by a hash of themselves: a shard read in sequence is mixed already."""
    paths = [path.relative_to(folder).as_posix() for path in images.list_images(folder)]
    if not paths:
        raise UserError(f"{folder} holds no photos; looked for {', '.join(images.SUFFIXES)}")
    return sorted(paths, key=_hash)


def _check_free(out: Path, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; -o takes a folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UserError(f"{out} is not empty; choose another folder, or replace the shards in it with --force")


def _write_shards(
    folder: Path,
    paths: list[str],
    out: Path,
    short_side_px: int,
    shard_mb: float,
    quality: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[index.Shard], list[tuple[str, str]]]:
    shards: list[index.Shard] = []
    skipped: list[tuple[str, str]] = []
    open_files: list[BinaryIO] = []

    def opener(name: str) -> BinaryIO:
        open_files.append((out / name).open("wb"))
        return open_files[-1]

    def finished(name: str) -> None:
        open_files.pop().close()
        shards.append(replace(index.scan(out / name).shard, sha256=index.digest(out / name)))

    def encode(path: str) -> bytes | ImageError:
        return _encode(folder / path, short_side_px, quality)

    with ShardWriter(
        SHARDS, maxcount=10**9, maxsize=shard_mb * 1e6, post=finished, opener=opener, verbose=0, encoder=False, mtime=0
    ) as writer:
        for done, (path, jpeg) in enumerate(_in_order(encode, paths), start=1):
            if isinstance(jpeg, ImageError):
                skipped.append((path, str(jpeg)))
            else:
                writer.write({"__key__": _key(path), "jpg": jpeg})
            if progress is not None:
                progress(done, len(paths))
    return [shard for shard in shards if shard.samples], skipped


def _in_order(
    encode: Callable[[str], bytes | ImageError], paths: list[str]
) -> Iterator[tuple[str, bytes | ImageError]]:
    """Encoded on all cores (Pillow frees the interpreter), handed out in order."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for first in range(0, len(paths), _CHUNK):
            chunk = paths[first : first + _CHUNK]
            yield from zip(chunk, threads.map(encode, chunk), strict=True)


def _encode(path: Path, short_side_px: int, quality: int) -> bytes | ImageError:
    try:
        photo = decode_photo(path.read_bytes(), short_side_px=2 * short_side_px)
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(error.strerror or str(error))
    if min(photo.shape[-2:]) > short_side_px:
        photo = images.resize_short_side(photo, short_side_px)
    return images.encode_jpeg(photo, quality=quality)


def _publish(shards: list[index.Shard], partial: Path, out: Path) -> None:
    """Shards are replaced first, and deleted only when the new ones are complete: photos are there all the time.

    Without the index while it would mislead: whoever looks in between scans.
    """
    (out / index.NAME).unlink(missing_ok=True)
    for shard in shards:
        os.replace(partial / shard.file, out / shard.file)
    index.write(shards, out)
    for old in set(out.glob("shard-*.tar")) - {out / shard.file for shard in shards}:
        old.unlink()


def _key(path: str) -> str:
    """WebDataset ends a key at the first dot, and a tar holds 100 bytes of it; the hash keeps a.jpg and a.png apart."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.rpartition(".")[0])
    return f"{stem[-60:]}-{_hash(path)[:12]}"


def _hash(path: str) -> str:
    return hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
