"""`SWEEP/sweep.json`: the jobs of a sweep and how it was asked for, written before the first job starts.

It may come from a stranger, as any file that is read: values are checked, and nothing in it is run but as overrides.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from brushnet import __version__
from brushnet.errors import UserError
from brushnet.files import write_whole
from brushnet.sweeps.names import LONGEST

FILE = "sweep.json"
FORMAT = 1
MOST_BYTES = 50_000_000
_NAME = re.compile(rf"[\w+][\w.+-]{{0,{LONGEST}}}")  # a folder right in the sweep's


@dataclass(frozen=True)
class SweepJob:
    """`values` are those of its axes, for people; `digest` is of its configuration: what tells two jobs apart."""

    name: str
    overrides: tuple[str, ...]
    values: Mapping[str, str]
    digest: str


@dataclass(frozen=True)
class Sweep:
    """`axes` are the values of each axis, as in a job's `values`; `began` is ISO 8601."""

    command: str
    began: str
    seed: int
    launcher: str
    axes: Mapping[str, Sequence[str]]
    jobs: tuple[SweepJob, ...]
    brushnet: str = __version__
    format: int = field(default=FORMAT)

    def with_jobs(self, more: Sequence[SweepJob]) -> "Sweep":
        """The same sweep with further jobs, and their values added to its axes."""
        axes = {key: list(values) for key, values in self.axes.items()}
        for job in more:
            for key, value in job.values.items():
                if value not in axes.setdefault(key, []):
                    axes[key].append(value)
        return replace(self, axes=axes, jobs=(*self.jobs, *more))


def write(sweep: Sweep, folder: Path) -> None:
    write_whole(folder / FILE, (json.dumps(asdict(sweep), indent=1, ensure_ascii=False) + "\n").encode())


def holds_sweep(folder: Path) -> bool:
    return (folder / FILE).is_file()


def read(folder: Path) -> Sweep:
    """UserError where the folder holds no sweep, or its file is damaged or of a newer brushnet."""
    path = folder / FILE
    if not path.is_file():
        raise UserError(f"{folder} is no sweep: it has no {FILE}")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path}: a sweep's record has at most {MOST_BYTES} bytes")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        number = content["format"]
        if number != FORMAT:
            raise UserError(f"{path}: written in format {number!r:.20}, this brushnet {__version__} reads {FORMAT}")
        return _sweep(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        cause = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is damaged: {type(error).__name__}: {cause}; start another sweep") from error


def _sweep(content: Mapping[str, Any]) -> Sweep:
    jobs = tuple(_job(each) for each in content["jobs"])
    names = [job.name for job in jobs]
    if len(set(names)) < len(names):
        raise ValueError("two jobs have one name")
    return Sweep(
        command=_text(content["command"]),
        began=_text(content["began"]),
        seed=int(content["seed"]),
        launcher=_text(content["launcher"]),
        axes={_text(key): [_text(value) for value in values] for key, values in content["axes"].items()},
        jobs=jobs,
        brushnet=_text(content["brushnet"]),
    )


def _job(content: Mapping[str, Any]) -> SweepJob:
    name = _text(content["name"])
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is no name of a job")
    return SweepJob(
        name=name,
        overrides=tuple(_text(each) for each in content["overrides"]),
        values={_text(key): _text(value) for key, value in content["values"].items()},
        digest=_text(content["digest"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} is no text")
    return value
