"""Plain values into a checked `Config`: types by the schema, and one line per mistake that names the option."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brushnet.config.checks import check
from brushnet.config.schema import Config, options, rule_of
from brushnet.errors import ConfigError

_TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "str | None": "text or null",
    "int | None": "a whole number or null",
    "float | None": "a number or null",
    "list[str]": "a list, e.g. [a.jpg,b.jpg]",
    "list[LayerWeight]": "a list of {name, weight}, e.g. [{name: relu3_1, weight: 1}]",
}


def to_config(values: DictConfig | Mapping[str, Any]) -> Config:
    """A checked configuration; options that `values` leaves out keep their defaults."""
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Config), values)
        return check(with_home(cast(Config, OmegaConf.to_object(merged))))
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error


def with_home(cfg: Config) -> Config:
    """The same configuration, "~/" at the start of paths replaced by the home folder."""
    for key, each, value in options(cfg):
        if rule_of(each).path and value is not None:
            *section, name = key.split(".")
            owner = getattr(cfg, section[0]) if section else cfg
            setattr(owner, name, [_expanded(path) for path in value] if isinstance(value, list) else _expanded(value))
    return cfg


def _expanded(path: str) -> str:
    return "::".join(os.path.expanduser(part) if part.startswith("~/") else part for part in path.split("::"))


def explain(error: OmegaConfBaseException) -> str:
    """What OmegaConf objects to, in one line that names the option, the value and what is allowed."""
    key = error.full_key or str(error.key or "")
    option_key = re.sub(r"\[\d+\].*", "", key)
    first_line = str(error.msg or error).splitlines()[0]
    if "LayerWeight'" in first_line and "not in" in first_line:  # OmegaConf names the inner key alone here
        return f"unknown key {key} in a list of layers: each is {{name, weight}}"
    if "nterpolation" in first_line:
        return f"{key}: {first_line}"
    if option_key not in types_by_key():
        unknown = key and ("not in" in first_line or "struct" in first_line)
        return unknown_option(key) if unknown else f"{key}: {first_line}" if key else first_line
    return f"{option_key} must be {_TYPE_WORDS[types_by_key()[option_key]]}, got {_value_in(error, first_line)}"


def _value_in(error: OmegaConfBaseException, first_line: str) -> str:
    if error.value is None and (quoted := re.search(r"[Vv]alue '(.*?)'", first_line)):
        return quoted.group(1)
    return "null" if error.value is None else str(error.value) or "nothing"


def types_by_key() -> dict[str, str]:
    """Type of every option as the schema writes it, e.g. {"net.width": "int", ...}."""
    return {key: each.type.__name__ if isinstance(each.type, type) and not hasattr(each.type, "__args__")
            else str(each.type).replace("brushnet.config.schema.", "") for key, each, _ in options()}  # fmt: skip


def unknown_option(key: str) -> str:
    return f"unknown option {key}{nearest(key, types_by_key())}"


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' or nothing. A bare last part ("batch_size") also finds its full key."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        by_last = {key.rsplit(".", 1)[-1]: key for key in known}
        last = word.rsplit(".", 1)[-1]
        close = [by_last[each] for each in difflib.get_close_matches(last, by_last, n=1, cutoff=0.75)]
    return f"; did you mean {close[0]}?" if close else ""
