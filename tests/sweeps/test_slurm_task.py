"""What a rank of a sweep's job does inside Slurm. Hydra's launcher and submitit's handler are stand-ins."""

import signal
from types import SimpleNamespace

import pytest
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher
from submitit.core.utils import UncompletedJobError

from brushnet import stop_signals
from brushnet.sweeps.slurm_result import Result
from brushnet.sweeps.slurm_task import REQUEUE, SlurmTask


@pytest.fixture
def rank(tmp_path, monkeypatch):
    """rank(number, returns) runs a job's rank, which has the result in its file or none; `rank.requeued` counts."""
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SUBMITIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    monkeypatch.setattr(stop_signals, "received", set())
    monkeypatch.setattr(stop_signals, "last_words", [])

    def run(number, returns):
        def call(self, *arguments):
            return SimpleNamespace(return_value=returns())

        monkeypatch.setenv("SLURM_PROCID", str(number))
        monkeypatch.setattr(SlurmLauncher, "__call__", call)
        try:
            SlurmTask()()
        finally:
            run.result = Result.read(Result.file(tmp_path, "12", number))

    def requeue(number, frame):
        run.requeued += 1
        signal.raise_signal(REQUEUE)  # Slurm repeats it
        raise run.refused or SystemExit(-1)

    run.requeued, run.refused, run.folder = 0, None, tmp_path
    before = {number: signal.getsignal(number) for number in stop_signals.SIGNALS}
    signal.signal(REQUEUE, requeue)
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def preempted():
    """As a training does that Slurm has asked to stop."""
    with stop_signals.handled_by(lambda number, frame: None):
        signal.raise_signal(REQUEUE)
    return 3


def test_a_job_that_is_done_leaves_its_code(rank):
    rank(0, lambda: 0)
    assert rank.result == Result(0)


@pytest.mark.parametrize("code", [1, 2, 3])
def test_slurm_is_told_the_code(rank, code):
    with pytest.raises(SystemExit) as ended:
        rank(0, lambda: code)
    assert ended.value.code == code
    assert rank.result == Result(code)
    assert not rank.requeued


def test_a_bug_ends_in_1_and_its_traceback_is_kept(rank, caplog):
    with pytest.raises(SystemExit) as ended:
        rank(0, lambda: "no code")
    assert ended.value.code == 1
    assert "Traceback" in caplog.text


def test_a_job_that_is_preempted_is_requeued_and_leaves_nothing(rank):
    with pytest.raises(SystemExit):
        rank(0, preempted)
    assert rank.requeued == 1
    assert rank.result is None


def test_a_job_that_is_done_when_the_signal_comes_is_not_requeued(rank):
    rank(0, lambda: preempted() and 0)
    assert rank.result == Result(0)
    assert not rank.requeued


def test_the_other_ranks_leave_it_to_the_first(rank):
    rank(1, lambda: 3)
    assert rank.result == Result(3)


def test_what_cannot_be_requeued_says_so(rank):
    rank.refused = UncompletedJobError("Job not requeued because: timed-out too many times.")
    with pytest.raises(SystemExit) as ended:
        rank(0, preempted)
    assert ended.value.code == 3
    assert rank.result.code == 3
    assert rank.result.cause.startswith("stopped by Slurm and not requeued: timed-out too many times (hydra.launcher.")


def test_a_signal_that_ends_the_process_requeues_the_job_first(rank):
    def before_the_training():
        stop_signals.received.add(REQUEUE)
        for word in stop_signals.last_words:
            word()
        return 0

    rank(0, before_the_training)
    assert rank.requeued == 1


def test_a_signal_that_ends_the_process_leaves_a_result(rank):
    def before_the_training():
        stop_signals.received.add(signal.SIGTERM)
        for word in stop_signals.last_words:
            word()
        raise ZeroDivisionError  # stands for the process's end

    with pytest.raises(ZeroDivisionError):
        rank(0, before_the_training)
    assert rank.result == Result(3)
    assert not rank.requeued


def test_the_result_of_an_earlier_attempt_counts_no_more(rank):
    Result(3).write(Result.file(rank.folder, "12", 0))
    with pytest.raises(SystemExit):
        rank(0, preempted)
    assert rank.result is None
