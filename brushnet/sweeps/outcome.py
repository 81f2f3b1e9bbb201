"""`RUN/job.json`: what became of a sweep's job, written by the job itself, so that no launcher need tell.

A job that was killed could write nothing any more: it is still `running` in its file after all have ended.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from brushnet.files import write_whole

FILE = "job.json"
RUNNING, FINISHED, FAILED, STOPPED = "running", "finished", "failed", "stopped"
STATES = (RUNNING, FINISHED, FAILED, STOPPED)
_MOST_BYTES = 100_000


@dataclass(frozen=True)
class Outcome:
    """`cause` is one line; `attempts` counts how often it was started; `seconds` are those of the last attempt."""

    state: str
    cause: str = ""
    attempts: int = 1
    seconds: float = 0.0
    code: int | None = None  # exit code, once it has ended


def write(outcome: Outcome, folder: Path) -> None:
    write_whole(folder / FILE, (json.dumps(asdict(outcome)) + "\n").encode(), flushed=False)


def read(folder: Path) -> Outcome | None:
    """None where the job was never started, or its file is damaged: it is then run (again)."""
    path = folder / FILE
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        state, cause, code = content["state"], content["cause"], content.get("code")
        if state not in STATES or not isinstance(cause, str) or not (code is None or isinstance(code, int)):
            return None
        return Outcome(state, cause, int(content["attempts"]), float(content["seconds"]), code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def is_finished(folder: Path) -> bool:
    """Whether there is nothing left to do: trained, judged, and the model is there."""
    ended = read(folder)
    return ended is not None and ended.state == FINISHED and (folder / "model.safetensors").is_file()
