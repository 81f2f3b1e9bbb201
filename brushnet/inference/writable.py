"""Whether an output folder can be written to: asked before anything is painted. Without torch."""

import tempfile
from pathlib import Path

from brushnet.errors import UserError


def check_writable(folder: Path) -> None:
    """Makes the folder, where it is missing. UserError where it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"-o {folder} cannot be written to: {error.strerror}") from error
