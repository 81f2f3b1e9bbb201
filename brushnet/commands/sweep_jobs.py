"""Which jobs a sweep has: each composed and checked before the first one starts, with a name and a seed of its own."""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brushnet.config import Config
from brushnet.config.compose import compose_all, split
from brushnet.config.overrides import keys, quote, repaired
from brushnet.config.saved import to_dict, with_absolute_paths
from brushnet.errors import UserError
from brushnet.sweeps import launch, outcome, record
from brushnet.sweeps.grid import Grid, grid_of
from brushnet.sweeps.names import names_of, shown
from brushnet.sweeps.record import Sweep, SweepJob

log = logging.getLogger(__name__)

CHECKED_ALOUD = 50  # jobs that are checked without a word: about 0.1 s each
_OF_THE_SWEEP = ("launcher", "sweep", "resume")  # no job's own: how they are run, and which they are


def asked_for(hydra: Any, composed: Any, *, folder: Path, command: str) -> Sweep:
    """The sweep that the options describe. UserError names the first job that is wrong."""
    grid = _grid(hydra, composed)
    return Sweep(
        command=command,
        began=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=composed.seed,
        launcher=launch.kind_of(composed),
        axes={axis.key: [shown(axis.key, value) for value in axis.values] for axis in grid.axes},
        jobs=tuple(_jobs(hydra, composed, grid, folder=folder)),
    )


def continued(hydra: Any, composed: Any, *, folder: Path) -> Sweep:
    """The sweep in a folder, with the jobs that the options add to it. UserError where its jobs would be others now."""
    if not record.holds_sweep(folder):
        raise UserError(
            f"with -m resume must be the folder of a sweep, with a {record.FILE}, got {folder}; without -m it "
            "continues a run"
        )
    known = record.read(folder)
    for job in known.jobs:
        if not outcome.is_finished(folder / job.name):
            _check_same(hydra, composed, job, folder)
    asked = [key for key in keys(composed.hydra.overrides.task) if key not in _OF_THE_SWEEP]
    if not asked and not composed.hydra.sweeper.params:
        return known
    digests = {job.digest for job in known.jobs}
    grid = _grid(hydra, composed)
    if not grid.axes:
        raise UserError(
            f"resume={folder} goes on with the sweep's own jobs, or adds those of further values, e.g. seed=2,3; got "
            f"no option with several values: {', '.join(asked)}"
        )
    jobs = _jobs(hydra, composed, grid, folder=folder)
    more = [job for job in jobs if job.digest not in digests]
    names = names_of([job.values for job in more], taken=[job.name for job in known.jobs])
    return known.with_jobs([replace(job, name=name) for job, name in zip(more, names, strict=True)])


def digest_of(cfg: Config) -> str:
    """Tells jobs apart by what they train: not by where they log, nor from where the command was typed."""
    values: dict[str, Any] = to_dict(with_absolute_paths(cfg))
    trained = {key: value for key, value in values.items() if key not in ("resume", "logger")}
    return hashlib.blake2b(json.dumps(trained, sort_keys=True).encode(), digest_size=16).hexdigest()


def _grid(hydra: Any, composed: Any) -> Grid:
    grid = grid_of(hydra.config_loader, composed.hydra.sweeper.params or {}, composed.hydra.overrides.task)
    for axis in grid.axes:
        if axis.key in _OF_THE_SWEEP or axis.key == "budget":
            raise UserError(f"{axis.key} is the same for all jobs of a sweep, got {','.join(axis.values)}")
    grid = replace(grid, shared=tuple(text for text in grid.shared if keys([text])[0] not in _OF_THE_SWEEP))
    return grid.cut() if composed.hydra.runtime.choices.get("budget") == "smoke" else grid


def _jobs(hydra: Any, composed: Any, grid: Grid, *, folder: Path) -> list[SweepJob]:
    """Two that would train the same are one."""
    chosen = grid.jobs()
    values = [{key: shown(key, value) for key, value in each.items()} for each in chosen]
    names = names_of(values)
    if len(chosen) > CHECKED_ALOUD:
        log.info("checking %d jobs", len(chosen))
    found: dict[str, SweepJob] = {}
    for each, for_people, name in zip(chosen, values, names, strict=True):
        overrides = grid.overrides(each)
        if "seed" not in each:
            overrides = _with_own_seed(overrides, composed.seed, name)
        cfg = _checked(hydra, composed, overrides)
        if cfg.logger.kind == "wandb" and cfg.logger.group is None:
            overrides.append(f"logger.group={quote(folder.resolve().name)}")
        job = SweepJob(name, tuple(overrides), for_people, digest_of(cfg))
        found.setdefault(job.digest, job)
    return list(found.values())


def _with_own_seed(overrides: Sequence[str], seed: int, name: str) -> list[str]:
    from brushnet import seeds  # torch, seconds

    return [*(text for text in overrides if keys([text]) != ["seed"]), f"seed={seeds.derived(seed, f'sweep/{name}')}"]


def _check_same(hydra: Any, composed: Any, job: SweepJob, folder: Path) -> None:
    """Of a recorded job, whose overrides are looked at as a stranger's: options of a run, and plain values."""
    groups = hydra.config_loader.list_groups("")
    for text in job.overrides:
        key, _, value = text.partition("=")
        group = key.split("@")[0]
        other = group in groups and (key != group or value not in hydra.config_loader.get_group_options(group))
        if other or re.match(r"[+~]|hydra\b", text) or "${" in text:
            raise UserError(f"{folder / record.FILE}: {job.name} may hold options of a run alone, got {text:.100}")
    if digest_of(_checked(hydra, composed, repaired(hydra.config_loader, job.overrides))) != job.digest:
        raise UserError(
            f"resume={folder}: {job.name} would be trained with other options than when the sweep began (conf/, "
            "--config-dir or the current folder is another); start another sweep"
        )


def _checked(hydra: Any, composed: Any, overrides: Sequence[str]) -> Config:
    cfg, _ = split(compose_all(hydra, overrides))
    kind = launch.kind_of(composed)
    if kind == "slurm":
        from brushnet.sweeps import slurm

        slurm.check(composed, cfg.trainer.devices)
    elif cfg.trainer.devices > 1:  # the second process would run the whole sweep again
        raise UserError(
            f"trainer.devices must be 1 in a sweep (-m) with launcher={kind}, got {cfg.trainer.devices}; "
            "launcher=slurm takes more"
        )
    for file in cfg.style.files:  # named before other jobs have trained for hours
        if not file.startswith("sample:") and not Path(file).is_file():
            raise UserError(f"style.files: {file} does not exist; give picture files")
    return cfg
