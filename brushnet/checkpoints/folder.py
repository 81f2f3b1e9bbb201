"""`RUN/checkpoints/`: `last.ckpt` is the newest, `step_000500.ckpt` are those before it, `best.ckpt` stands apart."""

import logging
import re
from pathlib import Path

from brushnet.checkpoints import seal
from brushnet.errors import UserError

log = logging.getLogger(__name__)

FOLDER = "checkpoints"
LAST, BEST = "last.ckpt", "best.ckpt"
_STEP = re.compile(r"step_(\d{6,12})\.ckpt", re.ASCII)


def step_name(step: int) -> str:
    return f"step_{step:06d}.ckpt"


def earlier(folder: Path) -> list[tuple[int, Path]]:
    """(step, file) of the checkpoints kept beside the last one, newest first."""
    found = [(int(match[1]), path) for path in folder.glob("step_*.ckpt") if (match := _STEP.fullmatch(path.name))]
    return sorted(found, reverse=True)


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that is whole, of those that a run goes on from; None where the run has saved none.

    A damaged one is named in the log and left where it is. UserError where all are damaged.
    """
    kept = [path for _, path in earlier(folder)]
    found = [path for path in (folder / LAST, *kept, folder / BEST) if path.is_file()]
    damaged: list[tuple[Path, str]] = []
    for path in found:
        try:
            cause = seal.damage(path)
        except OSError as error:
            cause = error.strerror or str(error)
        if cause is None:
            for bad, why in damaged:
                log.warning("%s is damaged: %s; going on from %s", bad, why, path.name)
            return path
        damaged.append((path, cause))
    if damaged:
        listed = "; ".join(f"{path.name}: {cause}" for path, cause in damaged)
        raise UserError(f"{folder}: every checkpoint is damaged ({listed}); start the run anew in another folder")
    return None
