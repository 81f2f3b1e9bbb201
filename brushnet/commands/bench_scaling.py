"""`brushnet bench scaling`: several processes beside one, a pixel's cost by size, loading by workers."""

import copy
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brushnet import build, config
from brushnet.bench.clock import Clock
from brushnet.bench.inference import model_of
from brushnet.bench.per_pixel import SIDES, measure_per_pixel
from brushnet.bench.ranks import Block, environment, measure_ranks
from brushnet.commands.bench_rank import FOUND
from brushnet.config import Config
from brushnet.errors import BrushnetError

PROCESSES = 2
ROUNDS = 2
LONGEST_SECONDS = 600  # of one training
SAID_CHARS = 300

Tell = Callable[[str], None]


def processes(cfg: Config, *, seconds: float, tell: Tell) -> dict[str, Any]:
    """Trainings on the CPU with the gloo backend, one thread a process, whatever else the configuration says."""
    own = copy.deepcopy(cfg)
    own.trainer.accelerator, own.data.workers = "cpu", 0

    def run(count: int, steps: int | None) -> Block:
        tell(f"training on {count} process{'es' if count > 1 else ''} of one thread")
        own.trainer.devices = count
        return _train(own, steps=steps, seconds=seconds)

    return measure_ranks(run, processes=PROCESSES, rounds=ROUNDS)


def painting(
    cfg: Config, clock: Clock, *, seconds: float, sizes: list[tuple[int, int]] | None, tell: Tell
) -> list[dict[str, Any]]:
    model = model_of(build.build_net(cfg), clock.device, arithmetic="float32", way="plain")
    return measure_per_pixel(model, clock, seconds=seconds, sizes=sizes or SIDES, tell=tell)


def _train(cfg: Config, *, steps: int | None, seconds: float) -> Block:
    """What the first of `cfg.trainer.devices` processes saw. BrushnetError where one of them fails."""
    with tempfile.TemporaryDirectory(prefix="brushnet-bench-") as folder:
        request = Path(folder) / "request.json"
        request.write_text(json.dumps({"config": config.to_dict(cfg), "steps": steps, "seconds": seconds}))
        _run_ranks(cfg.trainer.devices, request)
        return Block(**json.loads((request.parent / FOUND).read_text()))


def _run_ranks(count: int, request: Path) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "brushnet.commands.bench_rank", str(request)]
    said = request.with_name("said.txt")
    with said.open("wb") as log:
        ranks = [
            subprocess.Popen(
                command, env=environment(rank, port, os.environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            for rank in range(count)
        ]
    try:
        _wait(ranks, said)
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()


def _wait(ranks: "list[subprocess.Popen[bytes]]", said: Path) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while None in (codes := [rank.poll() for rank in ranks]) and not any(codes):  # one that failed leaves none waiting
        if time.monotonic() > until:
            raise BrushnetError(f"a training of brushnet bench scaling took more than {LONGEST_SECONDS} s")
        time.sleep(0.05)
    if failed := [code for code in codes if code]:
        last = (said.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise BrushnetError(
            f"a training process of brushnet bench scaling ended with code {failed[0]}: {last[:SAID_CHARS]}"
        )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
