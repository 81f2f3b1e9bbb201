"""JSON of unknown origin, read value by value: UserError says which one is wrong, and what is allowed."""

import json
import math
from pathlib import Path
from typing import Any

from brushnet.errors import UserError

LARGEST_BYTES = 20_000_000
LARGEST_NUMBER = 1e12  # larger ones end as infinities in sums
_SHOWN_CHARS = 60


class Fields:
    """One JSON object; `where` is what messages call it."""

    def __init__(self, content: Any, where: str):
        if not isinstance(content, dict):
            raise UserError(f"{where} must be a JSON object, got {content!r:.{_SHOWN_CHARS}}")
        self.content, self.where = content, where

    def text(self, name: str, default: str | None = None) -> str:
        value = self.content.get(name, default)
        if not isinstance(value, str):
            raise self._error(name, value, "a text")
        return value

    def number(self, name: str, *, largest: float = LARGEST_NUMBER) -> float:
        """From -largest to largest; NaN for null and for what is missing."""
        value = self.content.get(name)
        if value is None:
            return math.nan
        if not is_number(value, largest):
            raise self._error(name, value, f"a number from {-largest:g} to {largest:g}")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.content.get(name, True)
        if not isinstance(value, bool):
            raise self._error(name, value, "true or false")
        return value

    def items(self, name: str) -> list[Any]:
        value = self.content.get(name)
        if not isinstance(value, list):
            raise self._error(name, value, "a list")
        return value

    def group(self, name: str) -> "Fields":
        return Fields(self.content.get(name), f"{self.where}: {name}")

    def groups(self, name: str) -> list["Fields"]:
        return [Fields(value, f"{self.where}: {name}[{place}]") for place, value in enumerate(self.items(name))]

    def _error(self, name: str, value: Any, allowed: str) -> UserError:
        return UserError(f"{self.where}: {name} must be {allowed}, got {value!r:.{_SHOWN_CHARS}}")


def read_fields(path: Path) -> Fields:
    """UserError for what is no file, too large, or no JSON object."""
    if not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path.name}: no such file")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path.name}: at most {LARGEST_BYTES} bytes are read")
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path.name}: not valid JSON ({error!s:.{_SHOWN_CHARS}})") from error
    return Fields(content, path.name)


def is_number(value: Any, largest: float = LARGEST_NUMBER) -> bool:
    """Not by isfinite, which fails for whole numbers of 400 digits."""
    return type(value) in (int, float) and -largest <= value <= largest


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
