"""A checkpoint's content, as Lightning gives and takes it: written whole and sealed, read without running code."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from brushnet import torch_file
from brushnet.checkpoints import seal
from brushnet.errors import UserError
from brushnet.files import write_whole


def write(content: dict[str, Any], path: Path) -> None:
    """Whole and flushed to the disk, or not at all: an OSError, and what was there before is still there."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, seal.sealed(buffer.getvalue()))


def read(path: Path) -> dict[str, Any]:
    """Plain containers and tensors on the CPU, memory-mapped. UserError where it is damaged or holds other things."""
    try:
        cause = seal.damage(path)
        if cause is not None:
            raise UserError(f"resume={path} is damaged: {cause}; resume=RUN takes the newest that is whole")
        content = torch_file.load(path)
    except torch_file.UnreadableError as error:
        raise UserError(f"resume={path} cannot be read as a checkpoint: {error}") from error
    except OSError as error:
        raise UserError(f"resume={path} cannot be read as a checkpoint: {error.strerror or error}") from error
    if not isinstance(content, dict):
        raise UserError(f"resume={path} is no checkpoint of brushnet train")
    return content


class SealedFiles(CheckpointIO):
    """How Lightning writes and reads them."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        write(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read(Path(path))

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        Path(path).unlink(missing_ok=True)
