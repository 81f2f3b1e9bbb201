"""The typed configuration of a run: its schema, its checks, and how Hydra's YAML or a saved run becomes one.

Everything that a run can be told is a field of `Config`, with its default, unit, range and help text. Only `build` and
the command line read it: networks, losses and data take plain values.
"""

from brushnet.config.checks import check
from brushnet.config.compose import compose
from brushnet.config.differences import differences, harmless_changes
from brushnet.config.folder import conf_dir
from brushnet.config.saved import from_dict, load_run, save, to_dict, with_absolute_paths
from brushnet.config.schema import (
    Config,
    DataOptions,
    LayerWeight,
    LoggerOptions,
    LossnetOptions,
    LossOptions,
    NetOptions,
    StrokeOptions,
    StyleOptions,
    TrainerOptions,
)

__all__ = [
    "Config",
    "DataOptions",
    "LayerWeight",
    "LoggerOptions",
    "LossOptions",
    "LossnetOptions",
    "NetOptions",
    "StrokeOptions",
    "StyleOptions",
    "TrainerOptions",
    "check",
    "compose",
    "conf_dir",
    "differences",
    "from_dict",
    "harmless_changes",
    "load_run",
    "save",
    "to_dict",
    "with_absolute_paths",
]
