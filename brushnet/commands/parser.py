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
