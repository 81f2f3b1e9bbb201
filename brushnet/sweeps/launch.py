"""Running a sweep's jobs by one of Hydra's launchers, until each has ended or was stopped.

What became of a job is read from its folder and never from the launcher: of one job that is killed, joblib loses the
results of all.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from brushnet.errors import UserError
from brushnet.sweeps import outcome, stop
from brushnet.sweeps.record import SweepJob

log = logging.getLogger(__name__)

EXTRA = "pip install 'brushnet[sweep]'"
PLUGINS = {"joblib": "hydra-joblib-launcher", "slurm": "hydra-submitit-launcher"}
KINDS = {"BasicLauncher": "local", "JoblibLauncher": "joblib", "SlurmLauncher": "slurm"}  # by the last word of Hydra's
MOST_STARTS = 2  # of a job that is killed: the second time it is the job's own doing, or the machine's
KILLED = "killed from outside, or out of memory"


def kind_of(composed: Any) -> str:
    """local, joblib or slurm. UserError for another launcher of Hydra's."""
    target = str(composed.hydra.launcher._target_)
    kind = KINDS.get(target.rsplit(".", 1)[-1])
    if kind is None:
        raise UserError(f"launcher must be one of {', '.join(KINDS.values())}, got hydra/launcher of {target}")
    if kind == "joblib" and composed.hydra.launcher.n_jobs == 0:
        raise UserError("hydra.launcher.n_jobs must be a number of jobs at a time, or -1 for all cores, got 0")
    # One at a time joblib runs in this very process.
    return "local" if kind == "joblib" and composed.hydra.launcher.n_jobs == 1 else kind


def launch(
    jobs: Sequence[SweepJob],
    *,
    kind: str,
    sweep_dir: Path,
    overrides: Callable[[SweepJob], list[str]],
    hydra: Any,
    composed: Any,
    task: Callable[[Any], int],
) -> None:
    """Returns when all have ended, or were stopped; each job's folder tells what became of it."""
    from hydra._internal.callbacks import Callbacks
    from hydra.types import HydraContext

    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(composed))
    composed = _without_launcher(composed)
    starts = dict.fromkeys((job.name for job in jobs), 0)
    batches = [list(jobs)] if jobs else []
    while batches and not stop.asked(sweep_dir):
        batch = batches.pop(0)
        lost: Mapping[int, str] = {}
        before = _attempts(batch, sweep_dir)
        chosen = [overrides(job) for job in batch]
        if kind == "local":
            _locally(chosen, context, composed, task)
        elif kind == "joblib":
            _joblib(chosen, context, composed, task, sweep_dir)
        else:
            from brushnet.sweeps import slurm

            lost = slurm.launch(chosen, hydra_context=context, config=composed, task=task)
        began = {name for name, count in _attempts(batch, sweep_dir).items() if count > before[name]}
        for name in began:
            starts[name] += 1
        left = _unended(batch, sweep_dir, lost, starts, again=kind == "joblib" and bool(began))
        # joblib kills the neighbours of one that is killed: each of them alone tells which it was.
        alone, waiting = ([job for job in left if (job.name in began) is known] for known in (True, False))
        batches = [*([job] for job in alone), *([waiting] if waiting else []), *batches]


def _without_launcher(composed: Any) -> Any:
    """A job composes its own configuration, with the default launcher, which does not know the options of this one."""
    from omegaconf import open_dict

    composed = composed.copy()
    with open_dict(composed):
        overrides = composed.hydra.overrides.hydra
        composed.hydra.overrides.hydra = [each for each in overrides if not re.match(r"\+*hydra[./]launcher\b", each)]
    return composed


def _attempts(jobs: Sequence[SweepJob], sweep_dir: Path) -> dict[str, int]:
    found = {job.name: outcome.read(sweep_dir / job.name) for job in jobs}
    return {name: each.attempts if each else 0 for name, each in found.items()}


def _locally(chosen: Sequence[list[str]], context: Any, composed: Any, task: Any) -> None:
    with suppress(KeyboardInterrupt):  # a job was stopped, and the sweep with it
        _launcher(context, composed, task).launch(chosen, initial_job_idx=0)


def _joblib(chosen: Sequence[list[str]], context: Any, composed: Any, task: Any, sweep_dir: Path) -> None:
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with stop.marked(sweep_dir):
        try:
            _launcher(context, composed, task).launch(chosen, initial_job_idx=0)
        except BrokenProcessPool as error:  # one was killed, and joblib has killed the others
            log.warning("a process of the sweep was killed: %s", (str(error).splitlines() or [""])[0])
        # Here, where signals are answered: it would wait for further jobs, and be waited for as Python ends.
        get_reusable_executor(reuse=True).shutdown(wait=True)


def _launcher(context: Any, composed: Any, task: Any) -> Any:
    from hydra.core.plugins import Plugins

    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=composed)


def _unended(
    jobs: Sequence[SweepJob], sweep_dir: Path, lost: Mapping[int, str], starts: Mapping[str, int], *, again: bool
) -> list[SweepJob]:
    """Those to be started again. What was killed, and is not, has failed: its folder is told."""
    left = []
    for place, job in enumerate(jobs):
        found = outcome.read(sweep_dir / job.name)
        if found is not None and found.state != outcome.RUNNING and place not in lost:
            continue
        if stop.asked(sweep_dir):
            continue
        if again and starts[job.name] < MOST_STARTS:
            left.append(job)
        else:
            before = found or outcome.Outcome(outcome.RUNNING, attempts=0)
            ended = replace(before, state=outcome.FAILED, cause=lost.get(place, KILLED), code=1)
            (sweep_dir / job.name).mkdir(exist_ok=True)
            outcome.write(ended, sweep_dir / job.name)
    return left
