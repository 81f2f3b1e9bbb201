"""The site as a folder for any static host: relative addresses only, so that a sub-folder of one does too."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from brushnet.errors import BrushnetError, UserError
from brushnet.files import write_whole


def check_folder(folder: Path, *, force: bool) -> None:
    """UserError where the site cannot be written to this folder, or without `force` must not."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--export {folder} is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UserError(f"--export {folder} is not empty; pass --force to write into it, or choose another")
    nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UserError(f"--export {folder} cannot be written: {error.strerror}") from error


def write_site(site: Mapping[str, bytes], folder: Path) -> None:
    """The page last: who finds it finds all. BrushnetError where the disk fails: what was not there before goes."""
    paths = [folder / path for path in sorted(site, key=lambda path: path == "index.html")]
    new_files = [path for path in paths if not path.exists()]
    folders = {parent for path in paths for parent in path.parents if not parent.exists()}
    try:
        for path in paths:
            write_whole(path, site[path.relative_to(folder).as_posix()], flushed=False)
    except OSError as error:
        with suppress(OSError):
            for path in new_files:
                path.unlink(missing_ok=True)
            for parent in sorted(folders, reverse=True):  # what lies deeper first
                parent.rmdir()
        raise BrushnetError(f"cannot write {folder}: {error.strerror or error}") from error
