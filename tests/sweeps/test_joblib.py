"""Two trainings side by side by joblib, real processes: finished, killed, stopped."""

import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from brushnet import cli, images
from brushnet.sweeps import outcome
from tests.conftest import strokes_picture
from tests.test_end_to_end import SMALL

# What the judge takes from a painting costs by its size: the embedded one takes longer than all else.
TINY = [*SMALL, "style.files=[painting.png]", "style.reference_px=64", "stroke.min=0.7"]
SWEEP = ["train", "-m", "launcher=joblib", "hydra.sweep.dir=s", "seed=0,1", *TINY]


@pytest.fixture
def start(tmp_path):
    images.write(images.to_float(strokes_picture())[None], tmp_path / "painting.png")
    started = []

    def begin(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "brushnet", *arguments],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process, code):
    said = process.communicate(timeout=300)[1]
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def wait_for_steps(sweep, process):
    until = time.monotonic() + 200
    while not all((sweep / name / "metrics.csv").exists() for name in ("seed0", "seed1")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def workers(process):
    listed = subprocess.run(
        ["ps", "-ww", "-s", str(process.pid), "-o", "pid=,stat=,args="], capture_output=True, text=True
    )
    found = [line.split(None, 2) for line in listed.stdout.splitlines() if "LokyProcess" in line]
    return [int(pid) for pid, state, _ in found if not state.startswith("Z")]


def attempts(sweep):
    return {name: outcome.read(sweep / name).attempts for name in ("seed0", "seed1")}


def test_jobs_side_by_side_train_what_each_would_alone(start, tmp_path, monkeypatch):
    said = ended(start(*SWEEP, "trainer.max_steps=4", "hydra.launcher.n_jobs=2"), 0)
    assert "s: 2 of 2 jobs finished" in said
    assert all((tmp_path / "s" / name / "evaluation" / "evaluation.json").is_file() for name in ("seed0", "seed1"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *TINY, "trainer.max_steps=4", "seed=1", "hydra.run.dir=alone"]) == 0
    alone, swept = (load_file(tmp_path / folder / "model.safetensors") for folder in ("alone", "s/seed1"))
    assert all((alone[name] - swept[name]).abs().max() < 1e-5 for name in alone)  # other numbers of threads


@pytest.mark.slow
def test_a_job_that_is_killed_takes_no_other_with_it(start, tmp_path):
    process = start(*SWEEP, "trainer.max_steps=60", "trainer.checkpoint_every_steps=5")
    wait_for_steps(tmp_path / "s", process)
    os.kill(workers(process)[0], signal.SIGKILL)
    said = ended(process, 0)
    assert "a process of the sweep was killed" in said
    assert attempts(tmp_path / "s") == {"seed0": 2, "seed1": 2}  # joblib ends the other, which goes on as well


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "kill"])
def test_a_sweep_that_is_stopped_goes_on_where_it_was(start, tmp_path, whole_group):
    process = start(*SWEEP, "trainer.max_steps=100000")
    wait_for_steps(tmp_path / "s", process)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT if whole_group else signal.SIGTERM)
    said = ended(process, 3)
    assert "stopping the sweep: jobs in hand are saved first" in said
    assert "continue with: brushnet train -m launcher=joblib resume=s" in said
    assert workers(process) == []
    assert {outcome.read(tmp_path / "s" / name).state for name in ("seed0", "seed1")} == {"stopped"}
    assert all((tmp_path / "s" / name / "checkpoints" / "last.ckpt").is_file() for name in ("seed0", "seed1"))


@pytest.mark.slow
def test_no_job_outlives_a_sweep_that_was_killed_and_it_goes_on(start, tmp_path):
    process = start(*SWEEP, "trainer.max_steps=40", "trainer.checkpoint_every_steps=2")
    wait_for_steps(tmp_path / "s", process)
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while workers(process):
        assert time.monotonic() < until
        time.sleep(0.2)
    assert {outcome.read(tmp_path / "s" / name).state for name in ("seed0", "seed1")} == {"stopped"}
    ended(start("train", "-m", "launcher=joblib", "resume=s"), 0)
    assert {outcome.read(tmp_path / "s" / name).state for name in ("seed0", "seed1")} == {"finished"}
    assert attempts(tmp_path / "s") == {"seed0": 2, "seed1": 2}


@pytest.mark.slow
def test_a_second_ctrl_c_ends_it_at_once(start, tmp_path):
    process = start(*SWEEP, "trainer.max_steps=100000", "trainer.batch_size=64")  # a step takes longer than the pause
    wait_for_steps(tmp_path / "s", process)
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.3)
    said = ended(process, 3)
    assert "jobs finished" not in said
    assert workers(process) == []
