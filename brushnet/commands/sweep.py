"""`brushnet train -m`: a sweep from its options to what became of each job."""

import importlib.util
import logging
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brushnet.commands.alone import alone_in
from brushnet.commands.command_line import command_line
from brushnet.commands.job import holds_run
from brushnet.commands.sweep_jobs import asked_for, continued
from brushnet.commands.swept_job import SweptJob
from brushnet.config.compose import compose_all
from brushnet.config.overrides import quote
from brushnet.errors import Stopped, UserError
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
        folder = Path(str(composed.resume)).expanduser()
        return _run(hydra, args, overrides, continued(hydra, composed, folder=folder), folder)
    folder = Path(str(composed.hydra.sweep.dir)).expanduser()
    if record.holds_sweep(folder) or any(holds_run(each) for each in folder.glob("*")):
        raise UserError(
            f"{folder} already holds a sweep; -m resume={folder} continues it, hydra.sweep.dir=DIR starts another"
        )
    typed = command_line(args.overrides, config_dir=args.config_dir, allow_pipe=args.allow_pipe, sweep=True)
    return _run(hydra, args, overrides, asked_for(hydra, composed, folder=folder, command=typed), folder)


def _run(hydra: Any, args: Any, overrides: Sequence[str], found: Sweep, folder: Path) -> int:
    composed = compose_all(hydra, [*_of_hydra(overrides), f"hydra.sweep.dir={quote(folder)}"], sweep=True)
    kind = launch.kind_of(composed)
    gpus = _gpus(hydra, overrides) if kind == "joblib" else ()
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, log_name=LOCK_NAME):
        record.write(found, folder)
        stop.forget(folder)
        left = [job for job in found.jobs if not outcome.is_finished(folder / job.name)]
        done = len(found.jobs) - len(left)
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
    return _told(found, folder, stopped=stopped)


def _of_hydra(overrides: Sequence[str]) -> list[str]:
    """What the launcher is told beside the jobs' own options."""
    ours = [text for text in overrides if re.match(r"launcher=|\+*hydra[./]", text)]
    return [*(text for text in ours if not text.startswith("hydra.sweep.dir=")), "hydra.mode=MULTIRUN"]


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


def _told(found: Sweep, folder: Path, *, stopped: bool) -> int:
    """Says what became of the jobs; the exit code."""
    ended = {job.name: each for job in found.jobs if (each := outcome.read(folder / job.name)) is not None}
    failed = {name: each for name, each in ended.items() if each.state == outcome.FAILED}
    finished = sum(each.state == outcome.FINISHED for each in ended.values())
    left = len(found.jobs) - finished - len(failed)
    parts = [f"{finished} of {len(found.jobs)} jobs finished"]
    parts += [f"{count} {word}" for count, word in ((len(failed), "failed"), (left, "left")) if count]
    log.info("%s: %s", folder, ", ".join(parts))
    for name, each in failed.items():
        log.error("failed: %s: %s", name, each.cause)
    if left or failed:
        log.info("continue with: brushnet train -m resume=%s", shlex.quote(str(folder)))
    if finished:
        log.info("look at it with: brushnet report %s", shlex.quote(str(folder)))
    if stopped:
        return Stopped.exit_code
    codes = [each.code for each in ended.values()]
    return next((code for code in (1, 2, 3) if code in codes), 0)
