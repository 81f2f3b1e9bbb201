"""`-`: a picture from standard input, a painting to standard output. By way of files: all else knows only those."""

import select
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from brushnet import images
from brushnet.errors import BrushnetError, Stopped, UserError
from brushnet.inference.crew import LOOK_EVERY_S

DASH = Path("-")
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}


class StandardStreams:
    """`with StandardStreams(stop) as streams:`; the files are gone afterwards. `stop`, once set, ends waiting."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.folder: Path | None = None
        self.input: Path | None = None
        self.output: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def files_of(self, inputs: Sequence[Path]) -> list[Path]:
        """The inputs with a file in the place of the dash. UserError where it is a terminal, or given twice."""
        if inputs.count(DASH) > 1:
            raise UserError("input -: standard input holds one picture; give - once")
        if DASH in inputs:
            self._read()
        return [self.input if path == DASH and self.input else path for path in inputs]

    def file_of(self, out: Path, inputs: Sequence[Path], suffix: str | None) -> Path:
        """A file in the place of `-o -`, of the kind of the input or, where `suffix` is given, of that one."""
        if out != DASH:
            return out
        if sys.stdout is None or sys.stdout.isatty():
            raise UserError("-o -: standard output is a terminal; send it to a file or a program")
        if len(inputs) > 1 or inputs[0].is_dir():
            raise UserError("-o - is one picture, but the input is a folder or several files; give -o a folder")
        self.output = self._folder() / f"stdout{suffix or _suffix_of(inputs[0])}"
        return self.output

    def shown(self, path: Path) -> Path:
        """A dash for what stands in its place."""
        return DASH if path in (self.input, self.output) else path

    def send(self) -> None:
        """The painting, if there is one, to standard output."""
        if self.output is not None and self.output.is_file():
            with self.output.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()

    def _read(self) -> None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError("input -: standard input is a terminal; send it a picture")
        path = self._folder() / "stdin"
        try:
            with path.open("wb") as file:
                stream = cast(BufferedReader, sys.stdin.buffer)
                while self._comes() and (chunk := stream.read1(1 << 20)):
                    file.write(chunk)
        except OSError as error:
            raise BrushnetError(f"input -: standard input cannot be kept in {path}: {error.strerror}") from error
        self.input = path.rename(path.with_suffix(_suffix_of(path)))  # a painting of it in a folder has its kind

    def _comes(self) -> bool:
        """True as soon as reading does not wait, or where the system does not tell. Stopped where that comes first."""
        with suppress(OSError, ValueError):
            while not select.select([sys.stdin.buffer], [], [], LOOK_EVERY_S)[0]:
                if self.stop.is_set():
                    raise Stopped("stopped")
        return True

    def _folder(self) -> Path:
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="brushnet-"))
        return self.folder


def _suffix_of(photo: Path) -> str:
    with suppress(BrushnetError):  # told when it is to be painted
        return _SUFFIXES.get(images.header(photo).kind, ".png")
    return ".png"
