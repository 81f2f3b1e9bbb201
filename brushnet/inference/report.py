"""What became of the pictures of one `brushnet stylize`."""

from dataclasses import dataclass, field
from pathlib import Path

from brushnet.errors import BrushnetError


@dataclass
class StylizeReport:
    """`failed`: what could not be painted, with the cause. `sheet` is among `written` too.

    `skipped` counts the pictures that were there before. All in the order of the inputs.
    """

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    skipped: int = 0
    sheet: Path | None = None

    @property
    def exit_code(self) -> int:
        return BrushnetError.exit_code if self.failed else 0

    def lines(self) -> list[str]:
        """For people: what failed and why, one a line, and last how much was written, however long the list."""
        done = f"{len(self.written)} picture{'' if len(self.written) == 1 else 's'} written"
        if self.sheet:
            done += f", contact sheet {self.sheet}"
        elif len(self.written) == 1:
            done += f" ({shown(self.written[0], 'standard output')})"
        if self.skipped:
            done += f", {self.skipped} skipped (there already; --force paints them again)"
        if not self.failed:
            return [done]
        count = f"{len(self.failed)} failed"
        return [f"{count}:", *(_named(cause, path) for path, cause in self.failed), f"{done}; {count}, see above"]


def shown(path: Path, stream: str) -> str:
    """A dash is standard input or output."""
    return stream if str(path) == "-" else str(path)


def _named(cause: str, path: Path) -> str:
    return cause if f": {path}" in cause else f"{shown(path, 'standard input')}: {cause}"  # some name it already
