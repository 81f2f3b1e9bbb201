"""Where a style model lies: in a file, in a run folder, or among the samples by its name."""

import difflib
import os
from pathlib import Path

from brushnet import samples
from brushnet.checkpoints import folder as checkpoints
from brushnet.errors import UserError


def locate(path_or_name: str | Path) -> Path:
    """The file to read: of a run folder its model, or its newest checkpoint. UserError where there is none."""
    path = Path(os.path.expanduser(path_or_name))  # pathlib's own fails for a user who does not exist
    if path.is_dir():
        return _in_run(path)
    if path.exists():
        return path
    name = str(path_or_name)
    if path.name != name or path.suffix in (".safetensors", ".ckpt"):
        raise UserError(f"{name}: no such model file or run folder")
    embedded = samples.models()
    if name in embedded:
        return embedded[name]
    raise UserError(_unknown_name(name, list(embedded)))


def _in_run(folder: Path) -> Path:
    model = folder / "model.safetensors"
    found = model if model.is_file() else checkpoints.newest(folder / checkpoints.FOLDER)
    if found is None:
        raise UserError(f"{folder}: no run folder (neither model.safetensors nor checkpoints/last.ckpt in it)")
    return found


def _unknown_name(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    at_hand = ", ".join(known) or "none"
    return f"model {name!r} is neither a file nor embedded: {hint}embedded are: {at_hand}; a path is allowed too"
