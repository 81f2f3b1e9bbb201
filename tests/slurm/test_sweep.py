"""Sweeps on a real Slurm: killed, failed, requeued and stopped jobs; every one is accounted for."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm.runs import PATIENCE_SECONDS, SMALL

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("slurm")]


TWO_RANKS = ("trainer.devices=2", "hydra.launcher.tasks_per_node=2", "hydra.launcher.cpus_per_task=1")


@dataclass
class Sweep:
    """A sweep in FOLDER/sweep."""

    folder: Path

    def start(self, *options: str, **environment: object) -> "subprocess.Popen[str]":
        """`brushnet train -m`. Of the environment BRUSHNET_TEST_... may be given, see site/sitecustomize.py."""
        texts = {key: json.dumps(each) if isinstance(each, dict) else str(each) for key, each in environment.items()}
        told = {f"BRUSHNET_TEST_{key}": text for key, text in texts.items()}
        site = {"PYTHONPATH": str(Path(__file__).parent / "site"), "BRUSHNET_TEST_UNJUDGED": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "brushnet", "train", "-m", "launcher=slurm", *options],
            cwd=self.folder,
            env={**os.environ, **site, **told},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def begin(self, *options: str, **environment: object) -> "subprocess.Popen[str]":
        return self.start(*SMALL, "hydra.sweep.dir=sweep", *options, **environment)

    def resume(self) -> tuple[int, str]:
        return self.ended(self.start("resume=sweep"))

    def ended(self, process: "subprocess.Popen[str]") -> tuple[int, str]:
        """Exit code, and all that was said. Soon after none of its jobs is left in Slurm."""
        said = process.communicate(timeout=PATIENCE_SECONDS)[0]
        _until(lambda: not self.queue())
        return process.returncode, said

    def queue(self) -> list[str]:
        """Of Slurm's jobs those of this sweep: other tests may run beside this one."""
        lines = subprocess.check_output(["squeue", "--noheader", "--array", "--format=%i %Z"], text=True).splitlines()
        return [line.split()[0] for line in lines if line.split()[1] == str(self.folder)]

    def job(self, name: str) -> dict:
        return json.loads((self.folder / "sweep" / name / "job.json").read_text())

    def log(self, name: str) -> str:
        return (self.folder / "sweep" / name / "train.log").read_text()

    def until(self, path: str) -> None:
        _until(lambda: (self.folder / "sweep" / path).exists())


def states(said: str) -> dict[str, str]:
    """What Slurm's accounts hold of the sweep's jobs, once it has them all."""
    number = said.partition("Slurm job ")[2].partition(":")[0]

    def ask() -> dict[str, str]:
        columns = "--format=JobID,State"
        answer = subprocess.check_output(["sacct", "-nXP", columns, f"--jobs={number}"], text=True)
        return dict(line.split("|") for line in answer.splitlines())

    _until(lambda: not {"RUNNING", "PENDING"} & set(ask().values()))
    return ask()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def test_jobs_that_are_killed_or_fail_do_not_take_the_others_along(sweep):
    grid = ("seed=0,1", "loss.style_weight=0.5,1")
    strikes = {"seed0-style_weight1": "kill", "seed1-style_weight0.5": "raise"}
    code, said = sweep.ended(sweep.begin(*grid, STRIKE=strikes))
    assert code == 1, said
    assert "2 of 4 jobs finished, 2 failed" in said
    assert "seed0-style_weight1: killed by signal 9" in said
    assert "seed1-style_weight0.5: " in said
    assert "the job was told to" in said
    assert "Traceback" in sweep.log("seed1-style_weight0.5")
    assert sorted(states(said).values()) == ["COMPLETED", "COMPLETED", "FAILED", "FAILED"]

    code, said = sweep.resume()
    assert code == 0, said
    assert sorted(states(said).values()) == ["COMPLETED", "COMPLETED"]  # only what was missing
    names = [path.parent.name for path in sweep.folder.glob("sweep/*/job.json")]
    attempts = {name: sweep.job(name)["attempts"] for name in names}
    assert attempts == dict.fromkeys(["seed0-style_weight0.5", "seed1-style_weight1"], 1) | dict.fromkeys(strikes, 2)


def test_a_job_that_is_preempted_is_requeued_and_continues(sweep):
    process = sweep.begin("seed=0", STRIKE={"job": "wait"})
    sweep.until("job/struck")
    subprocess.run(["scancel", "--signal=USR2", *sweep.queue()], check=True)
    time.sleep(1)  # it arrives while the step is in hand
    (sweep.folder / "sweep" / "go").touch()
    code, said = sweep.ended(process)
    assert code == 0, said
    assert sweep.job("job")["attempts"] == 2
    assert "continuing" in sweep.log("job")
    assert "at step 3" in sweep.log("job")


def test_ctrl_c_ends_all_jobs_and_leaves_a_sweep_that_can_be_resumed(sweep):
    process = sweep.begin("seed=0,1,2", "hydra.launcher.array_parallelism=1", STRIKE={"seed0": "wait"})
    sweep.until("seed0/struck")
    process.send_signal(signal.SIGINT)
    time.sleep(2)  # the job is told while the step is in hand
    (sweep.folder / "sweep" / "go").touch()
    code, said = sweep.ended(process)
    assert code == 3, said
    assert "continue with: brushnet train -m launcher=slurm " in said
    assert sweep.job("seed0")["state"] == "stopped"
    assert not (sweep.folder / "sweep" / "seed1").exists()
    code, said = sweep.resume()
    assert code == 0, said
    assert "at step 3" in sweep.log("seed0")


def test_a_job_on_two_processes(sweep):
    code, said = sweep.ended(sweep.begin("seed=0", *TWO_RANKS))
    assert code == 0, said


def test_a_rank_that_fails_fails_its_job(sweep):
    code, said = sweep.ended(sweep.begin("seed=0", *TWO_RANKS, RAISE="brushnet.training.run:_finish"))
    assert code == 1, said
    assert "1 failed" in said
    assert set(states(said).values()) == {"FAILED"}
