"""The pictures below a folder."""

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

from brushnet.errors import UserError
from brushnet.images.formats import SUFFIXES

log = logging.getLogger(__name__)


def _warn(folder: Path, cause: str) -> None:
    log.warning("%s: left out, %s", folder, cause)


def list_images(folder: str | os.PathLike[str], *, unreadable: Callable[[Path, str], None] = _warn) -> list[Path]:
    """Pictures below a folder, by suffix, sorted by path; what is hidden is left out, and what is no file.

    Folders that are links are not followed: they may lead in a circle. `unreadable` is told what cannot be listed and
    why; where that is `folder` itself it is a UserError.
    """
    if not Path(folder).is_dir():
        raise UserError(f"folder not found: {folder}")

    def refused(error: OSError) -> None:
        cause = f"folder cannot be read: {error.strerror or error}"
        if error.filename is None or Path(error.filename) == Path(folder):
            raise UserError(f"{folder}: {cause}") from error
        unreadable(Path(error.filename), cause)

    found = []
    for parent, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if name.lower().endswith(SUFFIXES) and name[0] != "."]
    return sorted(path for path in found if not is_waited_for(path))


def is_waited_for(path: Path) -> bool:
    """A pipe or a device: who reads it may wait for ever. A link to nothing is none: reading it fails."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
