"""One process of a training that `brushnet bench scaling` measures: python -m brushnet.commands.bench_rank REQUEST.json

REQUEST holds the configuration and how long to train; the first process writes what it saw beside it.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from brushnet import build, config
from brushnet.bench.clock import Clock
from brushnet.bench.ranks import measure_block
from brushnet.commands.bench_training import training_of
from brushnet.commands.job import rank

FOUND = "found.json"


def main(path: Path) -> int:
    torch.set_num_threads(1)
    request = json.loads(path.read_text())
    cfg = config.from_dict(request["config"], source=str(path))
    module, data = training_of(cfg)
    block = measure_block(
        module,
        data,
        build.build_options(cfg, path.parent),
        Clock(torch.device("cpu")),
        steps=request["steps"],
        seconds=request["seconds"],
    )
    if rank() == 0:
        (path.parent / FOUND).write_text(json.dumps(asdict(block)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
