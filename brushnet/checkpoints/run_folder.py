"""Where `resume=RUN_OR_CKPT` points: the folder of a run, and the checkpoint that it goes on from."""

import logging
from pathlib import Path

from brushnet.checkpoints import folder
from brushnet.errors import UserError

log = logging.getLogger(__name__)

# What a run writes or appends to: a link here, in a stranger's folder, would lead to a file of the user's own.
WRITTEN = ("metrics.csv", "config.yaml", "model.safetensors", "checkpoints", "samples", "tensorboard", "wandb",
           ".hydra")  # fmt: skip
LOGS = "*.log"  # train.log, and train_ddp_process_1.log of a second process


def locate(resume: str) -> tuple[Path, Path | None]:
    """Run folder and checkpoint of `resume=RUN_OR_CKPT`; None where the run has saved none yet and starts over.

    UserError says what is missing.
    """
    path = Path(resume)
    if path.is_dir():
        run, checkpoint = path, folder.newest(path / folder.FOLDER)
    elif path.suffix == ".ckpt" and path.is_file():
        run, checkpoint = path.resolve().parent.parent, path  # of /a.ckpt: the root folder, which is no run
    else:
        raise UserError(f"resume must be a run folder or a .ckpt file in one, got {resume}")
    if not (run / "config.yaml").is_file():
        raise UserError(f"resume={resume}: {run} is not a run folder, it has no config.yaml")
    if elsewhere := written_elsewhere(run):
        raise UserError(f"resume={resume}: {elsewhere}; what a run writes must lie in its folder")
    if checkpoint is None:
        log.warning("%s was stopped before its first checkpoint: it starts at step 0", run)
    return run, checkpoint


def written_elsewhere(run: Path) -> str | None:
    """What in a folder, perhaps a stranger's, leads out of it or is no plain file: "a/train.log is a link"."""
    for written in (*(run / name for name in WRITTEN), *run.glob(LOGS)):
        special = written.exists() and not (written.is_file() or written.is_dir())  # a pipe would be waited for
        if written.is_symlink():
            return f"{written} is a link"
        if special:
            return f"{written} is no plain file"
    return None
