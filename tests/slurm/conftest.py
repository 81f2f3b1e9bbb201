"""A real Slurm (scripts/slurm), brought up for these tests and taken down after them."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "slurm"
COMMANDS = ("slurmctld", "slurmdbd", "munged", "mariadbd")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Inside, `srun`, `sbatch` and `sacct` speak to a cluster of two nodes. One that is up already is left up.

    Skips where it cannot be had; CI_SLURM=1 says that it must.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of all workers, which use the same cluster
    with _users(shared) as users:
        if not users and _script("status").returncode != 0:
            _skip_without()
            answer = _script("up")
            assert answer.returncode == 0, answer.stderr
            users.append("ours")
        users.append(str(os.getpid()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", _script("status").stdout.strip().removeprefix("export SLURM_CONF="))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    with _users(shared) as users:
        users.remove(str(os.getpid()))
        if users == ["ours"]:
            users.clear()
            assert _script("down").returncode == 0


def _skip_without() -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in COMMANDS if shutil.which(name, path=path) is None]
    must = os.environ.get("CI_SLURM") == "1"
    if missing and not must:
        pytest.skip(f"no Slurm here ({', '.join(missing)} missing); as root ./scripts/slurm up installs it")
    if os.geteuid() != 0 and not must:
        pytest.skip("only root can start Slurm: sudo ./scripts/slurm up")


def _script(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([SCRIPT, command], capture_output=True, text=True, timeout=600)


@contextmanager
def _users(folder: Path) -> Iterator[list[str]]:
    """Who uses the cluster, one process a line; only one process has the list at a time."""
    with (folder / "slurm-users").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = file.read().split()
        yield users
        file.truncate(0)
        file.write("\n".join(users))
