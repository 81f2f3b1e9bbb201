"""Continuing a run, or forking it: its saved configuration with the options that are asked for."""

import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from brushnet.config.checks import check
from brushnet.config.differences import ALLOWED, differences
from brushnet.config.overrides import keys
from brushnet.config.saved import load_run
from brushnet.config.schema import Config, options
from brushnet.errors import ConfigError, UserError


def continued(run: Path, asked: Config, overrides: Sequence[str]) -> Config:
    """The run's saved configuration with the overrides of this command line. `asked` is the composed configuration.

    ConfigError lists every option by which another model would come of it.
    """
    saved, named = load_run(run), _named(asked, overrides)
    wrong = [*differences(saved, asked, keys=named), *_other_folders(run, overrides)]
    if wrong:
        raise ConfigError(
            f"resume={asked.resume} goes on with the run's own configuration, got {', '.join(wrong)}; {ALLOWED}; "
            "--fork starts a new run from these weights"
        )
    return check(replace(_with(saved, asked, named), resume=None))


def forked(run: Path, checkpoint: Path | None, asked: Config, overrides: Sequence[str]) -> Config:
    """Of a new run from the weights of a checkpoint of `run`: its saved configuration with any overrides."""
    if checkpoint is None:
        raise UserError(f"--fork: {run} was stopped before its first checkpoint, so it has no weights to start from")
    if asked.fork is not None:
        raise UserError(f"--fork sets the option fork to the checkpoint of resume=, got fork={asked.fork} too")
    saved = load_run(run)
    if saved.style.base is not None:
        raise UserError(
            f"--fork: {run} has added paintings to style.base={saved.style.base}, and a fork would train the others "
            f"too; experiment=add_style style.base={run} adds more to it"
        )
    return check(replace(_with(saved, asked, _named(asked, overrides)), resume=None, fork=str(checkpoint)))


def _named(asked: Config, overrides: Sequence[str]) -> set[str]:
    """Full keys of the options that the overrides are about; a group is set as a whole."""
    values, defaults = ({key: value for key, _, value in options(cfg)} for cfg in (asked, Config()))
    found: set[str] = set()
    for key in keys(overrides):
        key = re.sub(r"\.\d+(\.\w+)?$", "", key)  # an entry of a list
        of_group = [each for each in values if each == key or each.startswith(f"{key}.")]
        if not of_group and not key.startswith("hydra"):  # a group over all sections, as `experiment`
            of_group = [each for each in values if values[each] != defaults[each]]
        found.update(of_group)
    return found - {"resume"}


def _other_folders(run: Path, overrides: Sequence[str]) -> list[str]:
    asked = [text.partition("=")[2].strip("'\"") for text in overrides if text.startswith("hydra.run.dir=")]
    return [f"hydra.run.dir: {run} -> {folder}" for folder in asked if Path(folder).resolve() != run.resolve()]


def _with(saved: Config, asked: Config, named: Collection[str]) -> Config:
    cfg, values = deepcopy(saved), {key: value for key, _, value in options(asked)}
    for key in named:
        *section, name = key.split(".")
        setattr(getattr(cfg, section[0]) if section else cfg, name, values[key])
    return cfg
