"""A run's folder without its configuration: what it took, its training curves, what was measured.

Any of its files may be half written or a stranger's: what is wrong is the run's cause, never an error of the report.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from brushnet.errors import UserError
from brushnet.model_header import read_meta
from brushnet.report.evaluation_file import FILE, FOLDER, read_evaluation
from brushnet.report.runs import DAMAGED, FINISHED, Curve, Run

log = logging.getLogger(__name__)

MODEL, METRICS = "model.safetensors", "metrics.csv"
CURVES = ("train/loss", "val/loss", "val/style")


class End(NamedTuple):
    """How a run ended, and what it took in all (NaN where that is not known)."""

    state: str
    cause: str = ""
    seconds: float = math.nan


def open_run(folder: Path, *, options: Mapping[str, str], values: Mapping[str, str], end: End) -> Run:
    """Without what was measured. A damaged run comes back as one, with the cause."""
    run = Run(
        name=folder.name,
        folder=folder,
        options=options,
        values=values,
        state=end.state,
        cause=end.cause,
        seconds=end.seconds,
    )
    if end.state == DAMAGED or not folder.is_dir():
        return run
    run = replace(run, curves=read_curves(folder / METRICS))
    if (folder / MODEL).is_file():
        return _with_header(run)
    if end.state == FINISHED:
        return replace(run, state=DAMAGED, cause=f"it is said to be finished, but has no {MODEL}")
    return run


def measured(run: Run) -> Run:
    """The same run with what was measured of it; damaged where that cannot be read. Only finished runs have it."""
    if run.state != FINISHED:
        return run
    try:
        return replace(run, evaluation=read_evaluation(run.folder / FOLDER))
    except UserError as error:
        return replace(run, state=DAMAGED, cause=f"{FOLDER}/{error}")


def has_evaluation(run: Run) -> bool:
    return (run.folder / FOLDER / FILE).is_file()


def read_curves(path: Path) -> dict[str, Curve]:
    """Those of CURVES that the file holds. A damaged file has fewer rows, perhaps none."""
    from brushnet.training.metrics_csv import MetricsCsv  # Lightning, seconds

    try:
        rows = MetricsCsv(path).rows()
    except OSError as error:
        log.warning("%s cannot be read: %s", path, error.strerror)
        return {}
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name in CURVES:
            if math.isfinite(value := _number(row.get(name, ""))):
                curves.setdefault(name, []).append((int(row["step"]), value))
    return dict(curves)


def _with_header(run: Run) -> Run:
    """What the model says of its training. Steps and seconds of the model come before those of the job."""
    try:
        meta = read_meta(run.folder / MODEL)
    except UserError as error:
        return replace(run, state=DAMAGED, cause=str(error).replace(f"{run.folder}/", ""))
    seconds, steps = meta.training.get("seconds"), meta.training.get("steps")
    return replace(
        run,
        seconds=float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < math.inf else run.seconds,
        steps=steps if type(steps) is int and 0 <= steps < 10**15 else None,
        device=_text(meta.training.get("device")),
        command=_text(meta.training.get("command")),
        version=meta.version,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
