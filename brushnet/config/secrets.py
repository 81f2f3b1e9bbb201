"""What an option may hold that is not to leave the machine with a model or a log."""

import re
from typing import Any


def without_secrets(text: str) -> str:
    """Of a path, address or override: passwords, queries of addresses and `pipe:` commands as `...`."""
    text = re.sub(r"(?i)\bpipe:.*", "pipe:...", text)  # a whole command of a shell, headers and all
    text = re.sub(r"(?<=://)[^/\s]+@", "...@", text)
    return re.sub(r"(?i)([a-z][a-z0-9+.-]*://[^\s?]*\?)(?:(?!::)[^\s,'\"\]}])+", r"\1...", text)  # `::` joins places


def all_without_secrets(value: Any) -> Any:
    """The same for every text in plain containers."""
    match value:
        case str():
            return without_secrets(value)
        case dict():
            return {key: all_without_secrets(each) for key, each in value.items()}
        case list():
            return [all_without_secrets(each) for each in value]
    return value
