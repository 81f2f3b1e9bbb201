"""A process that has imported everything and forks trainings on request: a start takes a tenth of a second, not ten.

Reads a JSON object a line: {"argv": [...], "folder": DIR, "out": FILE, "environment": {...}, "ranks": n}; the command
runs in DIR as `brushnet ARGV` would. Answers with {"group": id} and, when all its processes have ended, with
{"codes": [...]}, negative for a signal. Nothing has computed in this process, so there is no thread that a fork loses.
"""

import faulthandler
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path


def main() -> int:
    from brushnet.cli import main as brushnet

    _import_all()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        pids: list[int] = []
        for environment in _environments(request):
            pid = _fork()
            if pid == 0:
                os.setpgid(0, pids[0] if pids else 0)
                _become(request, environment)
                return brushnet(request["argv"])
            pids.append(pid)
            os.setpgid(pid, pids[0])  # here as well: whoever comes first
        print(json.dumps({"group": pids[0]}), flush=True)
        print(json.dumps({"codes": _wait(pids)}), flush=True)
    return 0


def _import_all() -> None:
    import torch
    from hydra._internal.core_plugins import basic_sweeper  # noqa: F401

    from brushnet import build  # noqa: F401
    from brushnet.commands import train  # noqa: F401
    from brushnet.config import compose, resumed, saved, typed  # noqa: F401

    torch.set_num_threads(1)


def _fork() -> int:
    tasks = Path("/proc/self/task")
    count = len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
    assert count == 1, f"{count} threads: a fork would lose some of them"
    return os.fork()


def _environments(request: dict) -> list[dict[str, str]]:
    """One for each rank, as Lightning sets them for the processes that it starts."""
    if request["ranks"] == 1:
        return [request["environment"]]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": "0", "WORLD_SIZE": str(request["ranks"])}
    return [request["environment"] | common | {"LOCAL_RANK": str(rank)} for rank in range(request["ranks"])]


def _become(request: dict, environment: dict[str, str]) -> None:
    os.chdir(request["folder"])
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.open(request["out"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # asked for where a training hangs
    sys.argv = ["brushnet", *request["argv"]]
    sys.path.insert(0, str(Path(__file__).parent))
    import ambush

    ambush.install(Path(request["folder"]))


def _wait(pids: list[int]) -> list[int]:
    """Exit codes. Where one process fails the others end too, as Lightning and torchrun see to it."""
    codes: dict[int, int] = {}
    while len(codes) < len(pids):
        pid, status = os.wait()
        codes[pid] = os.waitstatus_to_exitcode(status)
        if codes[pid] not in (0, 3) and len(codes) < len(pids):
            os.killpg(pids[0], signal.SIGKILL)
    return [codes[pid] for pid in pids]


if __name__ == "__main__":
    sys.exit(main())
