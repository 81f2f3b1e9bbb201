"""Stopped trainings as a user or a scheduler stops them: real processes, their exit codes, and who is left."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.test_end_to_end import SMALL

ENDLESS = [*SMALL, "trainer.max_steps=100000", "hydra.run.dir=run"]


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*arguments, code=None):
        command = [sys.executable, *(["-c", code] if code else ["-m", "brushnet"]), "train", *ENDLESS, *arguments]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
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
            process.wait()


def wait_for_steps(metrics, process):
    until = time.monotonic() + 120
    while not metrics.exists() or metrics.read_text().count("\n") < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def ended(process):
    """What it said, after it has ended with 3 and no process of its session is left."""
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 3, said
    listed = subprocess.run(["ps", "-s", str(process.pid), "-o", "stat=,pid=,args="], capture_output=True, text=True)
    left = [line for line in listed.stdout.splitlines() if not line.startswith("Z")]  # dead: waits for init to see it
    assert not left
    assert "Traceback" not in said
    return said


def test_ctrl_c_reaches_the_loader_workers_too_and_they_do_not_mind(start, tmp_path):
    process = start("data.workers=2")
    wait_for_steps(tmp_path / "run" / "metrics.csv", process)
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process)
    assert "SIGINT received: saving after this step" in said
    assert "continue with: brushnet train resume=" in said
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.8, 1.5, 2.5, 3.5])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_libraries_load_ends_with_3_and_leaves_nothing(start, tmp_path, number, delay):
    process = start()
    time.sleep(delay)
    process.send_signal(number)
    assert "stopped" in ended(process)


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_two_ranks_save_together(start, tmp_path, number, whole_group):
    process = start("trainer.devices=2")
    wait_for_steps(tmp_path / "run" / "metrics.csv", process)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    said = ended(process)
    assert said.count("continue with") == 1
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.slow
def test_a_signal_to_the_second_rank_alone_stops_both(start, tmp_path):
    process = start("trainer.devices=2")
    wait_for_steps(tmp_path / "run" / "metrics.csv", process)
    second = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout
    os.kill(int(second.split()[0]), signal.SIGTERM)
    assert "another process of the training was asked to stop: saving" in ended(process)


@pytest.mark.slow
def test_a_second_signal_ends_both_ranks(start, tmp_path):
    process = start("trainer.devices=2", "trainer.batch_size=8", "trainer.crop_px=256")
    wait_for_steps(tmp_path / "run" / "metrics.csv", process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert "stopped at once; what was saved before is in" in ended(process)


@pytest.mark.slow
def test_a_main_thread_that_cannot_leave_is_ended_all_the_same(start, tmp_path):
    code = """
import sys, time
from brushnet.training import callbacks
def hang(*args):
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
from brushnet.cli import main
callbacks.StreamPosition.on_train_batch_end = hang
sys.exit(main())
"""
    process = start(code=code)
    while not (tmp_path / "run" / "metrics.csv").exists():
        time.sleep(0.1)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
    assert "brushnet: stopped at once; what was saved before is in" in ended(process)


@pytest.mark.slow
def test_stopping_a_job_ends_the_sweep(start, tmp_path):
    process = start("-m", "hydra.sweep.dir=sweep", "seed=1,2")
    wait_for_steps(tmp_path / "sweep" / "seed1" / "metrics.csv", process)
    process.send_signal(signal.SIGUSR1)
    ended(process)
    assert not (tmp_path / "sweep" / "seed2").exists()


@pytest.mark.slow
def test_slurm_is_answered_by_us_alone(start, tmp_path, monkeypatch):
    for name, value in {"NTASKS": "1", "JOB_ID": "7", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    process = start()
    wait_for_steps(tmp_path / "run" / "metrics.csv", process)
    process.send_signal(signal.SIGUSR1)
    assert "SIGUSR1 received" in ended(process)
    assert not list((tmp_path / "run").rglob("hpc_ckpt*"))  # Lightning's, which would requeue the job
