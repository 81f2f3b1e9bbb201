"""`brushnet train -m`: a sweep from its options to what became of each job."""

import importlib.util
import logging
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brushnet.checkpoints.run_folder import written_elsewhere
from brushnet.commands.alone import alone_in
from brushnet.commands.command_line import command_line
from brushnet.commands.job import LOG_NAME as JOB_LOG
from brushnet.commands.job import holds_run
from brushnet.commands.sweep_jobs import asked_for, continued
from brushnet.commands.swept_job import SweptJob
from brushnet.commands.terminal import printable
from brushnet.config.compose import compose_all
from brushnet.config.overrides import quote
from brushnet.errors import BrushnetError, Stopped, UserError
from brushnet.sweeps import gpu, launch, outcome, record, stop
from brushnet.sweeps.record import Sweep

log = logging.getLogger(__name__)

LOCK_NAME = ".lock"  # in the sweep's folder: one process runs a sweep at a time


def sweep(hydra: Any, args: Any, overrides: list[str]) -> int:
    """Exit code: 0, that of the worst job, or 3 where it was stopped."""
    if args.cfg:
        raise UserError(f"--cfg shows one run, so it cannot be combined with -m, got --cfg {args.cfg}")
    _check_plugin(overrides)
    composed = compose_all(hydra, overrides, sweep=True)
    launch.kind_of(composed)
    if not str(composed.hydra.sweeper._target_).endswith(".BasicSweeper"):
        raise UserError(f"hydra/sweeper must be basic, a grid, got {composed.hydra.sweeper._target_}")
    _log_as_hydra(composed)
    if composed.resume is not None:
        folder = Path(os.path.expanduser(str(composed.resume)))
        return _run(hydra, args, overrides, continued(hydra, composed, folder=folder), folder)
    folder = Path(os.path.expanduser(str(composed.hydra.sweep.dir)))  # pathlib's fails for a user who does not exist
    if record.holds_sweep(folder):
        raise UserError(
            f"{folder} already holds a sweep; -m resume={folder} continues it, hydra.sweep.dir=DIR starts another"
        )
    if any(holds_run(each) for each in folder.glob("*")):
        raise UserError(f"{folder} already holds runs; hydra.sweep.dir=DIR starts a sweep elsewhere")
    typed = command_line(args.overrides, config_dir=args.config_dir, allow_pipe=args.allow_pipe, sweep=True)
    return _run(hydra, args, overrides, asked_for(hydra, composed, folder=folder, command=typed), folder)


def _run(hydra: Any, args: Any, overrides: Sequence[str], found: Sweep, folder: Path) -> int:
    told = [*_of_hydra(overrides), f"hydra.sweep.dir={quote(folder)}", "hydra.mode=MULTIRUN"]
    composed = compose_all(hydra, told, sweep=True)
    kind = launch.kind_of(composed)
    gpus = _gpus(hydra, overrides) if kind == "joblib" else ()
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, log_name=LOCK_NAME):
        record.write(found, folder)
        stop.forget(folder)
        left = [job for job in found.jobs if not outcome.is_finished(folder / job.name)]
        unusable = {job.name: cause for job in left if (cause := _unusable(folder / job.name))}
        left = [job for job in left if job.name not in unusable]
        # What was killed comes last: it may have been the job's own doing, and end this process again.
        left.sort(key=lambda job: _was_killed(folder / job.name))
        done = len(found.jobs) - len(left) - len(unusable)
        log.info("%d jobs to run in %s%s", len(left), folder, f"; {done} are finished" if done else "")
        launch.launch(
            left,
            kind=kind,
            sweep_dir=folder,
            overrides=lambda job: [*job.overrides, f"hydra.sweep.subdir={quote(job.name)}"],
            hydra=hydra,
            composed=composed,
            task=SweptJob(folder.resolve(), kind, args.allow_pipe, args.debug, args.config_dir, gpus),
        )
        stopped = stop.asked(folder)
        stop.forget(folder)
    _log_as_hydra(composed)  # the last job's log file was open
    again = command_line(
        [*_of_hydra(args.overrides), f"resume={folder}"],
        config_dir=args.config_dir,
        allow_pipe=args.allow_pipe,
        sweep=True,
    )
    return _told(found, folder, unusable=unusable, stopped=stopped, again=again)


def _unusable(folder: Path) -> str | None:
    """Why a job cannot run in its folder, before Hydra opens its log there: that would end the whole sweep."""
    if folder.is_symlink():
        return f"{folder} is a link"
    if not folder.exists():
        return None
    if not folder.is_dir():
        return f"{folder} is no folder"
    if (folder / JOB_LOG).is_dir():
        return f"{folder / JOB_LOG} is a folder"
    return written_elsewhere(folder)


def _was_killed(folder: Path) -> bool:
    ended = outcome.read(folder)
    return ended is not None and ended.state == outcome.RUNNING


def _of_hydra(overrides: Sequence[str]) -> list[str]:
    """What the launcher is told beside the jobs' own options."""
    ours = [text for text in overrides if re.match(r"launcher=|\+*hydra[./]", text)]
    return [text for text in ours if not text.startswith("hydra.sweep.dir=")]


def _log_as_hydra(composed: Any) -> None:
    from hydra.core.utils import configure_log

    configure_log(composed.hydra.hydra_logging, composed.hydra.verbose)


def _check_plugin(overrides: Sequence[str]) -> None:
    for text in overrides:
        key, _, value = text.partition("=")
        if key == "launcher" and value in launch.PLUGINS and not _installed(launch.PLUGINS[value]):
            raise UserError(f"launcher={value} needs the package {launch.PLUGINS[value]}: {launch.EXTRA}")


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(f"hydra_plugins.{package.replace('-', '_')}") is not None
    except ModuleNotFoundError:  # no plugin of Hydra's at all
        return False


def _gpus(hydra: Any, overrides: Sequence[str]) -> tuple[str, ...]:
    import torch

    composed = compose_all(hydra, overrides, sweep=True)
    if composed.trainer.accelerator == "cpu" or not (count := torch.cuda.device_count()):
        return ()
    jobs = composed.hydra.launcher.n_jobs
    if not 0 < jobs <= count:
        raise UserError(
            f"hydra.launcher.n_jobs must be at least 1 and at most {count}, the GPUs here, one for each job, got {jobs}"
        )
    return gpu.visible(count)


def _told(found: Sweep, folder: Path, *, unusable: Mapping[str, str], stopped: bool, again: str) -> int:
    """Says what became of the jobs, and with `again` how it goes on; the exit code."""
    ended = {job.name: each for job in found.jobs if (each := outcome.read(folder / job.name)) is not None}
    failed = {name: each.cause for name, each in ended.items() if each.state == outcome.FAILED} | dict(unusable)
    finished = sum(each.state == outcome.FINISHED for each in ended.values())
    left = len(found.jobs) - finished - len(failed)
    parts = [f"{finished} of {len(found.jobs)} jobs finished"]
    parts += [f"{count} {word}" for count, word in ((len(failed), "failed"), (left, "left")) if count]
    log.info("%s: %s", folder, ", ".join(parts))
    for name, cause in failed.items():
        log.error("failed: %s: %s", name, printable(cause))
    if left or failed:
        log.info("continue with: %s", again)
    if finished:
        log.info("look at it with: brushnet report %s", shlex.quote(str(folder)))
    if stopped and left:  # asked as the last job ended: nothing was stopped
        return Stopped.exit_code
    codes = {each.code for each in ended.values()} | ({BrushnetError.exit_code} if unusable or left else set())
    return next((code for code in (1, 2, 3) if code in codes), 0)
