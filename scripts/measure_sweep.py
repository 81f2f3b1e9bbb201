"""What a sweep costs beside its trainings, and what joblib brings: the same jobs alone, in a sweep, and two at a time.

    python scripts/measure_sweep.py [--jobs 4] [--rounds 3] [--steps 60] -o FILE.json

Each round trains the jobs by commands of their own, in a sweep with launcher=local and in one with launcher=joblib, all
judged as they end, in turn, so that what else the machine does falls on all three. The file holds every round and the
medians; `overhead` is what a job in the sweep takes longer than its command alone, in seconds.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from brushnet import __version__
from brushnet.files import write_whole

OPTIONS = ["budget=cpu", "trainer.evaluate=true"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    args = parser.parse_args(argv)
    options = [*OPTIONS, f"trainer.max_steps={args.steps}"]
    rounds = []
    for number in range(args.rounds):
        rounds.append(one_round(options, args.jobs))
        print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    found = {
        "brushnet": __version__,
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "processor": processor(),
        "jobs": args.jobs,
        "steps": args.steps,
        "rounds": rounds,
        "medians": medians,
        "overhead": (medians["sweep"] - medians["alone"]) / args.jobs,
        "joblib_over_sweep": medians["joblib"] / medians["sweep"],
    }
    write_whole(args.output, (json.dumps(found, indent=1) + "\n").encode())
    print(json.dumps({key: found[key] for key in ("medians", "overhead", "joblib_over_sweep")}, indent=1))
    return 0


def one_round(options: list[str], jobs: int) -> dict[str, float]:
    """Seconds of all jobs in each of the three ways."""
    folder = Path(tempfile.mkdtemp())
    seeds = f"seed={','.join(map(str, range(jobs)))}"
    try:
        alone = sum(seconds([*options, f"seed={seed}", f"hydra.run.dir={folder / str(seed)}"]) for seed in range(jobs))
        sweep = seconds(["-m", *options, seeds, f"hydra.sweep.dir={folder / 'sweep'}"])
        joblib = seconds(["-m", "launcher=joblib", *options, seeds, f"hydra.sweep.dir={folder / 'joblib'}"])
    finally:
        shutil.rmtree(folder)
    return {"alone": round(alone, 1), "sweep": round(sweep, 1), "joblib": round(joblib, 1)}


def seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "brushnet", "train", *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    sys.exit(main())
