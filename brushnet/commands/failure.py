"""What a failed command says, and the exit code it ends with."""

import logging
import sys
import traceback
from contextlib import suppress

from brushnet.commands.terminal import printable
from brushnet.errors import BrushnetError, Stopped

log = logging.getLogger(__name__)


def report(error: BaseException, *, debug: bool) -> int:
    """Say on standard error what went wrong, in one line; with `debug` after the traceback. Returns the exit code."""
    line, code = explain(error)
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    with suppress(OSError):  # a closed terminal or a `| tee` that Ctrl-C has ended; the exit code is still right
        print(line, file=sys.stderr)
    return code


def explain(error: BaseException) -> tuple[str, int]:
    match error:
        case KeyboardInterrupt():
            return "brushnet: stopped", Stopped.exit_code
        case Stopped():
            return f"brushnet: {_one_line(error)}", error.exit_code
        case BrushnetError():
            return f"brushnet: error: {_one_line(error)}", error.exit_code
        case OSError(strerror=str(cause)):  # a full disk, a folder without write permission: the user's to mend
            file = f": {printable(str(error.filename))}" if error.filename is not None else ""
            return f"brushnet: error: {cause}{file}", BrushnetError.exit_code
    what = f"{type(error).__name__}: {_one_line(error)}"
    return f"brushnet: internal error: {what}; --debug shows the traceback", BrushnetError.exit_code


def record(error: BaseException) -> None:
    """Write the failure into the run's log file, and a bug's traceback with it; standard error has its own line."""
    expected = isinstance(error, BrushnetError | KeyboardInterrupt)
    info = None if expected else (type(error), error, error.__traceback__)
    entry = log.makeRecord(log.name, logging.ERROR, __file__, 0, explain(error)[0], (), info)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(entry)


def _one_line(error: BaseException) -> str:
    return printable(" ".join(str(error).split()))
