"""Hydra: conf/ and the overrides of a command line into one `Config`, every mistake said in one line."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brushnet.config.folder import conf_dir
from brushnet.config.schema import Config
from brushnet.errors import ConfigError

CONFIG_NAME = "train"


def compose(overrides: Sequence[str] = (), *, config_dir: Path | None = None) -> Config:
    """Configuration of one run, e.g. of ["stroke=one_octave", "trainer.max_steps=10"]. ConfigError if it is wrong."""
    from brushnet.config.overrides import repaired

    with engine(config_dir) as hydra:
        return split(compose_all(hydra, repaired(hydra.config_loader, overrides)))[0]


def compose_all(hydra: Any, overrides: Sequence[str], *, sweep: bool = False) -> Any:
    """Our options and Hydra's own, as Hydra composes them (a DictConfig)."""
    from hydra.types import RunMode

    mode = RunMode.MULTIRUN if sweep else RunMode.RUN
    with one_line_errors():
        return hydra.compose_config(CONFIG_NAME, list(overrides), run_mode=mode, with_log_configuration=False)


def split(composed: Any) -> tuple[Config, Any]:
    """The checked configuration of the run, and Hydra's own settings beside it."""
    from omegaconf import OmegaConf

    from brushnet.config.typed import to_config

    with one_line_errors():
        values = {str(key): composed._get_node(key) for key in composed if key != "hydra"}
        return to_config(OmegaConf.create(values, parent=None)), composed.hydra


@contextmanager
def engine(config_dir: Path | None = None) -> Iterator[Any]:
    """Hydra over our conf/ and, before it, the user's `--config-dir`. Global in Hydra: one at a time."""
    from hydra import version
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra

    version.setbase("1.3")
    register()
    search_path = create_config_search_path(str(conf_dir()))
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"--config-dir must be a folder, got {config_dir}")
        search_path.prepend("command-line", f"file://{config_dir.resolve()}", anchor=SearchPathQuery(provider="main"))
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2(task_name=CONFIG_NAME, config_search_path=search_path)
    finally:
        GlobalHydra.instance().clear()


def register() -> None:
    """Tell Hydra the schema, and OmegaConf the one resolver of conf/train.yaml."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    ConfigStore.instance().store(name="schema", node=Config)
    OmegaConf.register_new_resolver("style_name", style_name, replace=True)


def style_name(files: Sequence[str]) -> str:
    """Name of a run's folder by its paintings: "starry-night", or "starry-night+2" with two others."""
    first = re.sub(r"[^\w.-]+", "_", Path(files[0].removeprefix("sample:")).stem).strip("_.") if files else ""
    return (first or "style") + (f"+{len(files) - 1}" if len(files) > 1 else "")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Hydra's and OmegaConf's complaints become a ConfigError of one line."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from brushnet.config.typed import explain

    try:
        yield
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    except HydraException as error:
        cause = error.__cause__ or error.__context__
        if not isinstance(cause, OmegaConfBaseException):
            raise ConfigError(" ".join(str(error).split())) from error
        file = re.match(r"In '(.+?)': ", str(error))  # a file of conf/ or --config-dir
        raise ConfigError((f"{file[1]}.yaml: " if file else "") + explain(cause)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not a YAML file: {' '.join(str(error).split())}") from error
