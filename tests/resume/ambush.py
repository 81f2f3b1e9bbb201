"""Kills a training from inside, at a moment that repeats: the n-th file operation, a half-written file, the n-th call.

Installed in a process of its own (see zygote.py and site/sitecustomize.py); the environment says what to do:

BRUSHNET_TEST_KILL      {"operation": n}: SIGKILL just before the n-th operation on the run's files, counted from 0
                        {"operation": n, "bytes": b}: from there on the kernel ends it where a file passes b bytes
                        {"call": "module:Class.function", "number": n}: at the start of the n-th call, counted from 0
                        All processes of the group are killed. With "signal" they get another signal, as from a
                        terminal or Slurm. With "rank" only the process of that rank is killed.
BRUSHNET_TEST_RECORD    file that gets a line for each operation: what could be chosen from
BRUSHNET_TEST_INDICES   file that gets [rank, step, sample indices] for each training step
BRUSHNET_TEST_BAD       [batch, ...]: numbers of the batches whose gradient is made NaN
"""

import importlib
import json
import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path

# Operations as Python reports them before it does them; os.fsync is not among them and is wrapped.
EVENTS = {"open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}


def install(folder: Path) -> None:
    """For the run in `folder`. Other processes, like loader workers, go on as if nothing was installed."""
    kill = json.loads(os.environ.get("BRUSHNET_TEST_KILL", "{}"))
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    if "call" in kill and rank == kill.get("rank", 0):
        _watch_calls(kill)
    if rank == 0 and ("operation" in kill or "BRUSHNET_TEST_RECORD" in os.environ):
        operations = Operations(folder, kill)
        sys.addaudithook(operations.heard)
        _replace(os, "fsync", operations.fsync)
    if "BRUSHNET_TEST_INDICES" in os.environ:
        _write_indices(Path(os.environ["BRUSHNET_TEST_INDICES"]), rank)
    if "BRUSHNET_TEST_BAD" in os.environ:
        _spoil(set(json.loads(os.environ["BRUSHNET_TEST_BAD"])))


class Operations:
    """Counts what is done to files below a folder, and acts just before the chosen one."""

    def __init__(self, folder: Path, kill: dict):
        self.folder, self.kill, self.pid, self.done = str(folder.absolute()), kill, os.getpid(), 0
        self.record = None
        if "BRUSHNET_TEST_RECORD" in os.environ:
            self.record = os.open(os.environ["BRUSHNET_TEST_RECORD"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def heard(self, event: str, arguments: tuple) -> None:
        if event not in EVENTS or os.getpid() != self.pid:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if isinstance(arguments[0], str | bytes | os.PathLike):
            self.about_to(event.removeprefix("os."), os.fsdecode(arguments[0]))

    def fsync(self, original, file) -> None:
        number = file if isinstance(file, int) else file.fileno()
        if os.getpid() == self.pid:
            self.about_to("fsync", os.readlink(f"/proc/self/fd/{number}"))
        original(file)

    def about_to(self, what: str, path: str) -> None:
        path = os.path.abspath(path)
        if not path.startswith(self.folder + "/") or (what == "mkdir" and os.path.isdir(path)):
            return
        if self.record is not None:
            name = os.path.relpath(path, self.folder).replace(str(self.pid), "PID")
            os.write(self.record, f"{what} {name}\n".encode())
        if self.done == self.kill.get("operation"):
            if "bytes" in self.kill:
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and gets an error to handle
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.kill["bytes"], resource.RLIM_INFINITY))
            else:
                strike(self.kill)
        self.done += 1


def strike(kill: dict) -> None:
    if "rank" in kill:
        os.kill(os.getpid(), signal.SIGKILL)
    os.killpg(0, kill.get("signal", signal.SIGKILL))


def _watch_calls(kill: dict) -> None:
    calls = 0

    def watch(original, *args, **kwargs):
        nonlocal calls
        if calls == kill["number"]:
            calls += 1
            strike(kill)
        else:
            calls += 1
        return original(*args, **kwargs)

    module, name = kill["call"].split(":")
    *owners, name = name.split(".")
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    _replace(owner, name, watch)


def _write_indices(path: Path, rank: int) -> None:
    from brushnet.training.module import StyleTraining

    def write(original, module, batch, *args):
        with path.open("a") as file:
            file.write(json.dumps([rank, module.global_step, batch["index"].tolist()]) + "\n")
        return original(module, batch, *args)

    _replace(StyleTraining, "training_step", write)


def _spoil(batches: set[int]) -> None:
    from brushnet.training.module import StyleTraining

    def backward(original, module, loss, *args, **kwargs):
        factor = float("nan") if module.batches_done in batches else 1.0
        return original(module, loss * factor, *args, **kwargs)

    _replace(StyleTraining, "manual_backward", backward)


def _replace(owner, name: str, around) -> None:
    original = getattr(owner, name)
    if isinstance(owner, type):  # a method: self has to arrive

        def method(self, *args, **kwargs):
            return around(original, self, *args, **kwargs)

        method.__name__ = name  # Lightning asks for names and overriding
        setattr(owner, name, method)
    else:
        setattr(owner, name, partial(around, original))
