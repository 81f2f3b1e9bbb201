"""Continuing a run: where it lies, and which options may differ from its saved configuration."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from brushnet.config.checks import check
from brushnet.config.overrides import keys
from brushnet.config.saved import load_run
from brushnet.config.schema import Config, options
from brushnet.errors import ConfigError, UserError

# Where it runs and how long, not what is learned: the rest must stay, or the run would not be the one that was begun.
CHANGEABLE = ("trainer.max_steps", "trainer.max_time", "trainer.*_every_steps", "trainer.devices",
              "trainer.accelerator", "logger.*", "data.workers", "data.path", "data.val_path", "data.cache_dir",
              "style.files", "lossnet.weights")  # fmt: skip
_CHANGEABLE = re.compile("|".join(name.replace(".", r"\.").replace("*", r"\w+") for name in CHANGEABLE) + "|logger")


def locate(resume: str) -> tuple[Path, Path]:
    """Run folder and checkpoint of `resume=RUN_OR_CKPT`. UserError says what is missing."""
    path = Path(resume)
    if path.is_dir():
        run, checkpoint = path, path / "checkpoints" / "last.ckpt"
    elif path.suffix == ".ckpt" and path.is_file():
        run, checkpoint = path.resolve().parent.parent, path  # of /a.ckpt: the root folder, which is no run
    else:
        raise UserError(f"resume must be a run folder or a .ckpt file in one, got {resume}")
    if not (run / "config.yaml").is_file():
        raise UserError(f"resume={resume}: {run} is not a run folder, it has no config.yaml")
    if not checkpoint.is_file():
        raise UserError(f"resume={resume}: no checkpoint {checkpoint}; the run stopped before its first, start it anew")
    return run, checkpoint


def continued(run: Path, asked: Config, overrides: Sequence[str]) -> Config:
    """The run's saved configuration with the overrides of this command line. `asked` is the composed configuration."""
    saved = load_run(run)
    for key, text in zip(keys(overrides), overrides, strict=True):
        if key == "resume" or (key.startswith("hydra") and key != "hydra.run.dir"):
            continue
        if not _CHANGEABLE.fullmatch(key):
            allowed = ", ".join(CHANGEABLE)
            raise ConfigError(
                f"resume={asked.resume} keeps the run's own configuration, got {text}; allowed: {allowed}"
            )
        _check_same(key, asked, saved)
        _copy(key, asked, saved)
    return check(replace(saved, resume=None))


def _check_same(key: str, asked: Config, saved: Config) -> None:
    """Paintings and weights may have been moved; the network has learnt from these and no others."""
    if key == "style.files":
        old, new = ([_painting_name(file) for file in cfg.style.files] for cfg in (saved, asked))
        if old != new:
            raise ConfigError(
                f"style.files may be moved but must keep the run's paintings ({', '.join(old)}), got {', '.join(new)}"
            )
    before, after = saved.lossnet.weights, asked.lossnet.weights
    if key == "lossnet.weights" and {"auto", "compact"} & {before, after} and before != after:
        raise ConfigError(f"lossnet.weights of this run is {before} and cannot become {after}")


def _painting_name(file: str) -> str:
    return Path(file.removeprefix("sample:")).stem


def _copy(key: str, source: Config, target: Config) -> None:
    """Copy one option, or all of a group's."""
    for full_key, each, value in options(source):
        if full_key == key or full_key.startswith(f"{key}."):
            setattr(getattr(target, full_key.split(".")[0]), each.name, value)
