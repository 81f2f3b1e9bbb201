"""The overrides of a command line, looked at before Hydra is: typing mistakes named, file names quoted."""

import re
from collections.abc import Sequence
from typing import Any

from brushnet.config.typed import nearest, types_by_key, unknown_option
from brushnet.errors import ConfigError

_HYDRA = re.compile(r"[+~]*hydra[./@]|[+~]*hydra=")


def repaired(loader: Any, overrides: Sequence[str], *, sweep: bool = False) -> list[str]:
    """Overrides that Hydra understands. ConfigError names the first unknown option, group or group value."""
    groups = loader.list_groups("") if overrides else []  # once: Hydra copies all its configuration to tell
    ready = [_repaired(loader, groups, text) for text in overrides]
    for text in ready if not sweep else ():
        if _parse(text).is_sweep_override():
            key, _, value = text.partition("=")
            raise ConfigError(f"{key} must have one value, got {value}; a sweep needs -m, a list brackets: [a,b]")
    return ready


def keys(overrides: Sequence[str]) -> list[str]:
    """What each override is about: "trainer.max_steps", "logger", "hydra.run.dir"."""
    return [text.split("=", 1)[0].lstrip("+~").split("@")[0] for text in overrides]


def _repaired(loader: Any, groups: Sequence[str], text: str) -> str:
    key, equals, value = text.partition("=")
    if key in ("hydra.run.dir", "hydra.sweep.dir") and not _parses(text):
        return f"{key}={quote(value)}"
    if _HYDRA.match(text):
        return _parsed(text)
    if not equals or not key:
        raise ConfigError(f"overrides are written option=value, got {text}{nearest(text, ['--help', *types_by_key()])}")
    if key[0] in "+~":
        raise ConfigError(f"options can be set but neither added nor removed, got {text}; write {text.lstrip('+~')}")
    if key.split("@")[0] in groups:
        _check_group(loader, key.split("@")[0], value)
        return text
    kind = types_by_key().get(re.sub(r"(?<=_layers)\.\d+(\.\w+)?$|(?<=files)\.\d+$", "", key))
    if kind is None:
        raise ConfigError(_unknown(groups, key))
    text = _quoted_list(key, value) if key == "style.files" else text
    return f"{key}={quote(value)}" if kind.startswith("str") and not _parses(text) else _parsed(text)


def _check_group(loader: Any, group: str, value: str) -> None:
    known = loader.get_group_options(group)
    for each in _swept(value):
        each = each.strip("'\"")
        if not re.search(r"[(){}*$]", each) and each not in known:  # what is written otherwise is left to Hydra
            got = each or "nothing"
            raise ConfigError(f"{group} must be one of {', '.join(known)}, got {got}{nearest(each, known)}")


def _swept(value: str) -> list[str]:
    """Values of "a,b" or "choice(a,b)"; a value that is written otherwise is left to Hydra."""
    return [each.strip() for each in re.sub(r"^choice\((.*)\)$", r"\1", value).split(",")]


def _unknown(groups: Sequence[str], key: str) -> str:
    group = nearest(key, groups) if "." not in key else ""
    return f"unknown option {key}{group}" if group else unknown_option(key)


def _quoted_list(key: str, value: str) -> str:
    """One painting needs no brackets; names that Hydra's grammar refuses (blanks, accents, parentheses) get quotes."""
    if re.match(r"\w+\(|\$\{", value) or (value.startswith("[") and _parses(f"{key}={value}")):
        return f"{key}={value}"  # Hydra's own function, an interpolation, or fine as it is
    names = [quote(name.strip()) for name in value.removeprefix("[").removesuffix("]").split(",")]
    if value.startswith("["):
        return f"{key}=[{','.join(names)}]"
    return f"{key}=" + ",".join(f"[{name}]" for name in names)  # several: a sweep over single paintings


def quote(value: object) -> str:
    """In Hydra's quotes, unless it stands in quotes already; backslashes before a quote are doubled as Hydra wants."""
    value = str(value)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value
    escaped = re.sub(r"(\\*)'", lambda match: match.group(1) * 2 + r"\'", value)
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


def _parses(text: str) -> bool:
    try:
        _parse(text)
    except ConfigError:
        return False
    return True


def _parsed(text: str) -> str:
    _parse(text)
    return text


def _parse(text: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as error:
        cause = " ".join(str(error).split())
        raise ConfigError(
            f"cannot read the override {text} ({cause}); values with blanks, commas, parentheses or = need quotes "
            f"inside the shell's quotes, e.g. 'style.files=[\"my file.jpg\"]'"
        ) from error
