"""A run's configuration as plain YAML: written into the run folder, and read back as the untrusted file it may be."""

import os
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from brushnet.config.schema import Config, options, rule_of
from brushnet.errors import ConfigError
from brushnet.files import write_whole

_LARGEST_BYTES = 1_000_000
_MOST_VALUES = 20_000  # 4096 paintings and their options
_HEADING = "# "
_SAMPLE = "sample:"
_NO_FILES = ("auto", "compact", "torchvision")  # values of lossnet.weights
_BEFORE: dict[tuple[str, str], dict[str, Any]] = {  # of runs that were begun when there was nothing else to choose
    ("net", "trunk"): {"trunk_px": 4.0, "ends": "full"},
    ("loss", "tv_weight"): {"grid_weight": 0.0},
}
_JOINED = ("data.path", "data.val_path")  # several places, joined by ::
# A sample, an address, a command; or braces whose first word is one, or is absolute: {/disk1,/disk2}/x.tar.
_ELSEWHERE = re.compile(r"\{*[a-z][a-z0-9+]+:|\{+[/~]|$")


def to_dict(cfg: Config) -> dict[str, Any]:
    """Plain containers and scalars only, as `config.yaml` and a checkpoint hold them."""
    return asdict(cfg)


def to_yaml(cfg: Config) -> str:
    return yaml.safe_dump(to_dict(cfg), sort_keys=False, allow_unicode=True, width=120)


def save(cfg: Config, path: Path, *, command: str | None = None) -> None:
    """Whole or not at all: a run that is continued later, perhaps from another folder, reads it back.

    `command` goes before it as a comment: a run that is killed before its first checkpoint has told it nowhere else.
    """
    heading = f"{_HEADING}{command}\n" if command and command.isprintable() else ""
    write_whole(path, (heading + to_yaml(with_absolute_paths(cfg))).encode())


def command_of(run: Path) -> str | None:
    """The command in a run's `config.yaml`; None where it holds none. Any text: the file may come from a stranger."""
    with (run / "config.yaml").open(encoding="utf-8", errors="replace") as file:
        heading = file.readline(_LARGEST_BYTES).rstrip("\n")
    return heading.removeprefix(_HEADING) if heading.startswith(_HEADING) and heading.isprintable() else None


def with_absolute_paths(cfg: Config) -> Config:
    """A copy whose local paths are absolute; samples, addresses and commands stay as they are."""
    cfg = deepcopy(cfg)
    for key, each, value in options(cfg):
        if rule_of(each).path and value:
            *section, name = key.split(".")
            owner = getattr(cfg, section[0]) if section else cfg
            several = isinstance(value, list)
            setattr(owner, name, [_absolute(key, path) for path in value] if several else _absolute(key, value))
    return cfg


def _absolute(key: str, path: str) -> str:
    is_name = (key == "lossnet.weights" and path in _NO_FILES) or (
        key in ("style.base", "fork") and not os.path.exists(path)
    )
    if path.startswith(_SAMPLE) or is_name:
        return path
    if key not in _JOINED or os.path.exists(path):  # an existing folder means itself, even if it is called a::b
        return str(Path.cwd() / path)
    return "::".join(
        part if _ELSEWHERE.match(part) else str(Path.cwd() / os.path.expanduser(part)) for part in path.split("::")
    )


def load_run(path: Path) -> Config:
    """Configuration of a run folder or a `config.yaml`, which may come from a stranger: values, through the schema."""
    file = path / "config.yaml" if path.is_dir() else path
    return from_dict(_read(file), source=str(file))


def from_dict(values: Mapping[str, Any], *, source: str) -> Config:
    """Of what `to_dict` made, read back from a file (`source`) that may come from a stranger."""
    from brushnet.config.typed import to_config

    if "${" in str(values):
        raise ConfigError(f"{source}: a saved configuration holds plain values, got an interpolation ${{...}}")
    for key, value in to_dict(Config()).items():
        if isinstance(value, dict) and not isinstance(values.get(key, {}), dict):
            raise ConfigError(f"{source}: {key} must hold options, got {values[key]!r:.60}")
    for (section, name), before in _BEFORE.items():
        if name in values.get(section, {}):
            values = {**values, section: {**before, **values[section]}}
    try:
        return to_config(values)
    except RecursionError as error:
        raise ConfigError(f"{source}: a saved configuration holds plain values, got some nested very deep") from error
    except ConfigError as error:
        raise ConfigError(f"{source}: {' '.join(str(error).split())[:500]}") from error


def _read(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        raise ConfigError(f"{file.parent} is not a run folder: it has no config.yaml")
    if file.stat().st_size > _LARGEST_BYTES:
        raise ConfigError(f"{file}: a saved configuration has at most {_LARGEST_BYTES} bytes")
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # ValueError: 2001-99-99, 0b_
        raise ConfigError(f"{file}: not a saved configuration: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: a saved configuration is a mapping, got {type(values).__name__}")
    return values


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases (a few nested ones in a short file unfold to gigabytes) and without tags."""

    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        self.nodes += 1
        if isinstance(event, yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError(f"tags are not allowed, got {event.tag}")
        text = getattr(event, "value", "")
        if text != text.replace("\0", "").encode(errors="ignore").decode():
            raise yaml.YAMLError("a text with zero bytes or halves of characters, which no path can have")
        if self.nodes > _MOST_VALUES:  # PyYAML takes minutes for a megabyte of commas
            raise yaml.YAMLError(f"more than {_MOST_VALUES} values")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: Any) -> int:
        value = super().construct_yaml_int(node)
        if abs(value) >= 2**63:  # of more digits than Python prints
            raise yaml.YAMLError("a number of more than 64 bits")
        return value


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_yaml_int)
