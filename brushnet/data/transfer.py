"""One transfer of an address, or of what a command writes, into a file; it is watched, so that it ends."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from brushnet.errors import BrushnetError, UserError

STALL_SECONDS = 30.0  # a transfer that brings less than SLOWEST_BYTES in this time is given up
SLOWEST_BYTES = 30_000
_CONNECT_SECONDS = "15"
_TEMPORARY = re.compile(r"408|425|429|5\d\d|000")  # HTTP: asking again may help; 000 is no answer at all
_CURL = ("curl", "-fgsL", "--proto-redir", "=http,https", "--connect-timeout", _CONNECT_SECONDS, "-w", "%{http_code}")
_WRITE_ERROR = 23  # curl's exit status


class RefusedError(BrushnetError):
    """The server answers with an error that asking again does not change; `status` is HTTP's."""

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


def transfer(url: str, partial: Path, *, most_bytes: int | None, ended: Callable[[], bool]) -> str | None:
    """None, or why it failed and may go better next time.

    RefusedError, UserError, OSError where it would not; BrushnetError where `ended()` says that it is needed no more.
    """
    is_pipe = url.startswith("pipe:")
    command = ["/bin/sh", "-c", url.removeprefix("pipe:")] if is_pipe else [*_CURL, "-o", str(partial), url]
    with partial.open("wb") as file:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file if is_pipe else subprocess.PIPE,
                start_new_session=True,  # Ctrl-C saves a run first; and what a shell has started ends with it
            )
        except FileNotFoundError as error:
            raise UserError(f"cannot fetch {url}: the program {error.filename} is not installed") from error
        with process:
            try:
                cause = _watch(process, partial, most_bytes, ended)
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
            answer = "" if process.stdout is None else process.stdout.read().decode(errors="replace")
    if cause is not None or process.returncode == 0:
        return cause
    return _failure(url, process.returncode, answer)


def _watch(
    process: "subprocess.Popen[bytes]", partial: Path, most_bytes: int | None, ended: Callable[[], bool]
) -> str | None:
    """Waits for the end of a transfer; None, or why it is not waited for any longer."""
    since, before = time.monotonic(), 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
        size = partial.stat().st_size
        if most_bytes is not None and size > most_bytes:
            return f"more than the {most_bytes} bytes that are expected"
        if process.returncode is not None:
            return None
        if ended():
            raise BrushnetError(f"{partial}: needed no more")
        if size - before >= SLOWEST_BYTES:
            since, before = time.monotonic(), size
        elif time.monotonic() - since > STALL_SECONDS:
            return f"only {size - before} bytes came in {STALL_SECONDS:g} s"


def _failure(url: str, status: int, answer: str) -> str:
    if url.startswith("pipe:"):
        return f"exit status {status} of the command"
    if status == _WRITE_ERROR:
        raise OSError(errno.EIO, "curl could not write (is the disk full?)")
    if answer and not _TEMPORARY.fullmatch(answer) and answer >= "400":
        raise RefusedError(
            f"cannot fetch {url}: the server answers with an error ({answer}; does it exist?)", status=answer
        )
    return f"exit status {status} of curl" + (f", the server answers {answer}" if answer >= "400" else "")
