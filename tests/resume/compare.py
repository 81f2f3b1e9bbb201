"""Two finished runs, file by file and bit by bit; the few things that may differ are listed here."""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

# The time that was needed, and counters of Lightning's since it was started: nobody reads those, loops.py rebuilds them
# from progress.batches_done and global_step, which are compared. Paths of the run's own folder are compared below it.
MAY_DIFFER = (
    r"progress\.seconds_trained|brushnet\.training\.seconds|training\.seconds"
    r"|loops\.fit_loop\.epoch_loop\.(batch_progress\.current|manual_optimization\.optim_step_progress\.current"
    r"|val_loop\.batch_progress\.total|state_dict\._batches_that_stepped).*"
)
# They tell of each session.
LOGS = r"train(_ddp_process_\d+)?\.log"


def assert_equal_runs(expected: Path, found: Path, **allowed: str) -> None:
    told = differences(expected, found, **allowed)
    assert not told, "\n".join([f"{found} is not {expected}:", *told])


def differences(expected: Path, found: Path, *, may_differ: str = "", left_out: str = "") -> list[str]:
    """What is not the same in two run folders, one line each; empty where they are equal.

    `may_differ` is a pattern of further entries of checkpoints and config.yaml, `left_out` one of further files.
    """
    told = []
    ours, theirs = (_files(run, left_out) for run in (expected, found))
    told += [f"{name}: missing" for name in sorted(ours - theirs)]
    told += [f"{name}: not in the unbroken run" for name in sorted(theirs - ours)]
    pattern = re.compile(f"{MAY_DIFFER}|{may_differ}" if may_differ else MAY_DIFFER)
    for name in sorted(ours & theirs):
        one, other = (dict(_entries(run / name, run)) for run in (expected, found))
        for key in sorted(one.keys() | other.keys()):
            if not pattern.fullmatch(key) and one.get(key) != other.get(key):
                told.append(f"{name}: {key}: {_short(one.get(key))} became {_short(other.get(key))}")
    return told


def _files(run: Path, left_out: str) -> set[str]:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    return {name for name in names if not re.fullmatch(f"{LOGS}|{left_out}" if left_out else LOGS, name)}


def _entries(path: Path, run: Path) -> Iterator[tuple[str, Any]]:
    """All that a file holds, under dotted names, in a form in which == compares bits."""
    match path.suffix:
        case ".ckpt":
            yield from _flat("", torch.load(path, weights_only=True, map_location="cpu"), run)
        case ".safetensors":
            with safe_open(path, framework="pt") as file:
                yield from _flat("tensors", {name: file.get_tensor(name) for name in file.keys()}, run)  # noqa: SIM118
                yield from _flat("", {key: json.loads(text) for key, text in file.metadata().items()}, run)
        case ".csv" | ".yaml":
            for number, line in enumerate(path.read_text().splitlines(), 1):
                option = ""
                if path.suffix == ".yaml":
                    option = "command" if line.startswith("#") else line.split(":")[0].strip()
                yield f"{option}#{number}", line
        case _:
            yield "bytes", path.read_bytes()


def _flat(name: str, value: Any, run: Path) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, each in value.items():
                place = _below(str(key), run)
                yield from _flat(f"{name}.{place}" if name else place, each, run)
            yield f"{name}.keys()", [_below(str(key), run) for key in value]
        case list() | tuple():
            for number, each in enumerate(value):
                yield from _flat(f"{name}.{number}", each, run)
            yield f"{name}.len()", len(value)
        case Tensor():
            whole = value.detach().contiguous()
            yield name, (str(whole.dtype), tuple(whole.shape), whole.view(-1).view(torch.uint8).numpy().tobytes())
        case float():
            yield name, struct.pack("d", value)  # NaN is NaN, -0 is not 0
        case str() if value.startswith("{"):  # metadata, the run's identity
            yield from _flat(name, json.loads(value), run)
        case str():
            yield name, _below(value, run)
        case _:
            yield name, value


def _below(text: str, run: Path) -> str:
    return text.replace(str(run.resolve()), "RUN")


def _short(value: Any) -> str:
    if isinstance(value, bytes) and len(value) == 8:
        return f"{struct.unpack('d', value)[0]:.17g}"
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
