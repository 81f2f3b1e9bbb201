"""argparse as this command wants it: a mistake is one line with the nearest name, flags are never abbreviated."""

import argparse
import difflib
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from brushnet.errors import UserError


class Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def add_debug(self) -> None:
        self.add_argument("--debug", action="store_true", help="show the traceback of a failure")

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (-\S+)", message)
        hint = nearest(unknown[1].split("=")[0], self.flags()) if unknown else ""
        raise UserError(f"{message}{hint}; see {self.prog} --help")

    def flags(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]


def nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def positive_int(text: str) -> int:
    return int(_number(text, _whole(text), "a whole number above 0"))


def positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    return _number(text, value, "a number above 0")


def quality(text: str) -> int:
    value = _whole(text)
    return int(_number(text, value if value <= 100 else 0, "a whole number from 1 to 100"))


def _whole(text: str) -> int:
    """0 for what is no whole number above 0. Not by isdigit, which takes ² for one."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _number(text: str, value: float, allowed: str) -> float:
    if not 0 < value < float("inf"):  # also refuses nan
        raise argparse.ArgumentTypeError(f"must be {allowed}, got {text}")
    return value
