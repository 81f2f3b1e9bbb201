"""The commands that trained a model, as its metadata tells them under `training.command`.

The command that began the run stays first. Those of resumes that changed something follow it after " ; ". The
checkpoint carries the text along; until there is one, config.yaml does.
"""

from pathlib import Path

from brushnet.model_meta import KEY, ModelMeta
from brushnet.training.run import read_checkpoint

SEPARATOR = " ; "
CUT_OFF = " ..."
LONGEST_CHARS = 20_000  # no reader takes a file whose metadata is too long: that must not come out after the training


def whole_command(command: str | None, *, resume_from: Path | None) -> str | None:
    """`command` after those that brought the run to its checkpoint. None where nobody said any."""
    whole = joined(_saved(resume_from) if resume_from is not None else None, command)
    return _fitting(whole) if whole else None


def joined(earlier: str | None, command: str | None) -> str | None:
    """As a shell would run them one after the other. A requeued job resumes with the same command every time."""
    if earlier and (command is None or earlier.endswith(command)):
        return earlier
    return SEPARATOR.join(each for each in (earlier, command) if each) or None


def _saved(checkpoint: Path) -> str | None:
    meta = ModelMeta.from_json(str(read_checkpoint(checkpoint)[KEY]), source=str(checkpoint))
    command = meta.training.get("command")
    return command if isinstance(command, str) else None


def _fitting(text: str) -> str:
    return text if len(text) <= LONGEST_CHARS else text[: LONGEST_CHARS - len(CUT_OFF)] + CUT_OFF
