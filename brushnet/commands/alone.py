"""One process trains in a folder at a time: two would mix their rows and replace each other's checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brushnet.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone_in(run: Path, *, log_name: str) -> Iterator[None]:
    """Inside, the run's log is locked. UserError where another process has locked it.

    A lock of POSIX's kind: it ends with the process, however that ends, loader workers do not share it, and NFS knows
    it. Where a file system has none, nothing is checked. It is lost when this process closes the log for good.
    """
    if fcntl is None:
        yield
        return
    with (run / log_name).open("ab") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise UserError(
                f"{run} is in use: another process is training there; wait for its end, or stop it and resume then"
            ) from error
        except OSError:
            pass
        yield
