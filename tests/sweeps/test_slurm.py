"""What becomes of a sweep's jobs on Slurm, without one: its commands and submitit are stand-ins."""

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from brushnet.errors import BrushnetError, UserError
from brushnet.sweeps import slurm, slurm_queue, stop
from brushnet.sweeps.slurm_result import Result


class Cluster:
    """Stands for squeue, sacct and scancel, and for submitit's executor. `looks` change it, one a look at the queue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue: set[str] = set()
        self.accounts: dict[str, str] | None = {}  # "STATE|EXIT:SIGNAL" by job; None where none are kept
        self.answers = True
        self.asked: list[list[str]] = []
        self.submitted: list[tuple] = []
        self.looks: list = []
        self.ranks = 1

    def run(self, command, **options):
        self.asked.append(list(command))
        if not self.answers or (command[0] == "sacct" and self.accounts is None):
            return subprocess.CompletedProcess(command, 1, "", "slurm_load: error: no luck\n")
        if command[0] == "squeue" and self.looks:
            self.looks.pop(0)()
        lines = {"squeue": sorted(self.queue), "scancel": []}.get(command[0])
        if lines is None:
            lines = [f"{job}|{end}" for job, end in (self.accounts or {}).items()]
        return subprocess.CompletedProcess(command, 0, "".join(f"{line}\n" for line in lines), "")

    def map_array(self, function, *arguments):
        self.submitted += zip(*arguments, strict=True)
        count = len(arguments[0])
        ids = [f"12_{place}" for place in range(count)] if count > 1 else ["12"]
        self.queue |= set(ids)
        paths = SimpleNamespace(folder=self.folder, stdout=self.folder / "log.out")
        return [SimpleNamespace(job_id=each, num_tasks=self.ranks, paths=paths) for each in ids]

    def ends(self, job, *codes, end="", cause=""):
        """A look that finds the job gone from the queue, its ranks' codes left, and `end` in the accounts."""

        def look():
            self.queue.discard(job)
            for rank, code in enumerate(codes):
                if code is not None:
                    Result(code, cause).write(Result.file(self.folder, job, rank))
            if end and self.accounts is not None:
                self.accounts[job] = end

        return look

    def said_to(self, command):
        return [each[1:] for each in self.asked if each[0] == command]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "srun", "squeue", "scancel"):
        (tmp_path / "bin" / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    made = Cluster(tmp_path)
    monkeypatch.setattr(slurm_queue.subprocess, "run", made.run)
    monkeypatch.setattr(slurm, "_executor", lambda params: made)
    monkeypatch.setattr(slurm, "FIRST_POLL_SECONDS", 0.01)
    monkeypatch.setattr(slurm, "FILE_SECONDS", 0.1)
    slurm_queue._unanswered.clear()
    return made


def config(folder, **launcher):
    given = {"_target_": "SlurmLauncher", "nodes": 1, "tasks_per_node": 1, "setup": None} | launcher
    hydra = {"launcher": given, "sweep": {"dir": str(folder)}, "overrides": {"hydra": []}}
    return OmegaConf.create({"hydra": hydra})


def launch(cluster, jobs):
    overrides = [[f"seed={number}"] for number in range(jobs)]
    return slurm.launch(overrides, hydra_context=None, config=config(cluster.folder), task=None)


def test_all_jobs_are_submitted_at_once_and_none_is_lost(cluster):
    cluster.looks = [cluster.ends("12_0", 0), cluster.ends("12_1", 0)]
    assert launch(cluster, 2) == {}
    assert [each[:3] for each in cluster.submitted] == [
        (["seed=0"], "hydra.sweep.dir", 0),
        (["seed=1"], "hydra.sweep.dir", 1),
    ]
    assert cluster.said_to("scancel") == []


def test_more_than_an_array_holds_are_several(cluster, monkeypatch):
    monkeypatch.setattr(slurm, "MOST_IN_ARRAY", 2)
    cluster.looks = [cluster.ends("12_0", 0), cluster.ends("12_1", 0), cluster.ends("12", 0)]
    assert launch(cluster, 3) == {}
    assert [each[2] for each in cluster.submitted] == [0, 1, 2]


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("FAILED|9:0", "killed by signal 9, out of memory or from outside"),
        ("FAILED|0:9", "killed by signal 9, out of memory or from outside"),
        ("FAILED|139:0", "killed by signal 11"),
        ("FAILED|1:0", "ended with exit code 1"),
        ("FAILED|255:0", "ended with exit code 255"),
        ("OUT_OF_MEMORY|0:125", r"out of memory: hydra\.launcher\.mem_gb"),
        ("TIMEOUT|0:0", r"out of time: hydra\.launcher\.timeout_min"),
        ("NODE_FAIL|0:0", "its node failed"),
        ("CANCELLED by 1000|0:15", "cancelled"),
        ("PREEMPTED|0:0", "preempted"),
        ("COMPLETED|0:0", "ended without a word"),
        ("", "ended without a word"),
    ],
)
def test_a_job_that_could_not_tell_is_told_of_and_the_others_are_kept(cluster, end, cause):
    cluster.looks = [cluster.ends("12_1", None, end=end), cluster.ends("12_0", 0)]
    lost = launch(cluster, 2)
    assert list(lost) == [1]
    assert re.match(cause, lost[1])
    assert lost[1].endswith(f"(Slurm job 12_1, {cluster.folder}/log.out)")


def test_a_job_that_has_told_of_its_failure_is_not_lost(cluster):
    cluster.looks = [cluster.ends("12", 1, end="FAILED|1:0")]
    assert launch(cluster, 1) == {}


def test_what_a_job_has_written_may_come_late(cluster, monkeypatch):
    monkeypatch.setattr(slurm, "FILE_SECONDS", 60)
    late = cluster.ends("12", 1)
    cluster.looks = [cluster.ends("12", None, end="FAILED|1:0"), late]
    assert launch(cluster, 1) == {}


def test_every_rank_counts(cluster):
    cluster.ranks = 2
    cluster.looks = [cluster.ends("12_0", 0, 1), cluster.ends("12_1", 1, 3), cluster.ends("12_2", 0, 0)]
    lost = launch(cluster, 3)
    assert list(lost) == [0]
    assert lost[0].startswith("rank 1 ended with code 1 (Slurm job 12_0")


def test_why_a_job_was_not_requeued_is_told(cluster):
    cluster.looks = [cluster.ends("12", 3, end="FAILED|3:0", cause="stopped by Slurm and not requeued: why")]
    assert launch(cluster, 1)[0].startswith("stopped by Slurm and not requeued: why (Slurm job 12,")


def test_jobs_that_never_ran_are_found_in_the_accounts(cluster):
    cluster.accounts = {"12_[1-2]": "CANCELLED by 0|0:0", "12_0": "COMPLETED|0:0"}
    assert {job: end.state for job, end in slurm_queue.ends(["12_1", "12_2"]).items()} == {
        "12_0": "COMPLETED",
        "12_1": "CANCELLED",
        "12_2": "CANCELLED",
    }


def test_without_accounts_the_queue_tells_and_that_is_said_once(cluster, caplog):
    cluster.accounts = None
    cluster.looks = [cluster.ends("12_0", None), cluster.ends("12_1", None)]
    assert [each.partition(" (")[0] for each in launch(cluster, 2).values()] == ["ended without a word"] * 2
    assert caplog.text.count("sacct does not answer; how jobs ended is not known: slurm_load: error: no luck") == 1


def test_a_slurm_that_does_not_answer_is_waited_for(cluster):
    def away():
        cluster.answers = False
        slurm.time.sleep = back

    def back(seconds, sleep=slurm.time.sleep):
        slurm.time.sleep = sleep
        cluster.answers = True
        cluster.ends("12", 0)()

    cluster.looks = [away]
    assert launch(cluster, 1) == {}


def test_a_stop_asks_running_jobs_to_end_and_takes_waiting_ones_back(cluster):
    stopped = lambda: stop.ask(cluster.folder)  # noqa: E731
    cluster.looks = [
        stopped,
        cluster.ends("12_0", 3, end="FAILED|3:0"),
        cluster.ends("12_1", None, end="CANCELLED|0:0"),
    ]
    assert list(launch(cluster, 2)) == [1]
    assert cluster.said_to("scancel") == [["--quiet", "--state=PENDING", "12"], ["--quiet", "--signal=TERM", "12"]]


def test_jobs_do_not_outlive_a_bug_of_ours(cluster):
    cluster.looks = [lambda: 1 / 0]
    with pytest.raises(ZeroDivisionError):
        launch(cluster, 1)
    assert cluster.said_to("scancel") == [["--quiet", "12"]]


def test_what_sbatch_refuses_is_said(cluster, monkeypatch):
    from submitit.core.utils import FailedSubmissionError

    def refuse(*arguments):
        raise FailedSubmissionError("sbatch: error: trouble\nsbatch: error: invalid partition specified: nowhere")

    monkeypatch.setattr(cluster, "map_array", refuse)
    with pytest.raises(BrushnetError, match=r"Slurm did not take the sweep: .*invalid partition specified: nowhere"):
        launch(cluster, 1)


def test_a_rank_that_fails_ends_the_others_whatever_else_is_set_up(cluster, monkeypatch):
    params = []
    monkeypatch.setattr(slurm, "_executor", lambda given: params.append(given) or cluster)
    cluster.looks = [cluster.ends("12", 0)]
    asked = config(cluster.folder, setup=["module load cuda", "export SLURM_KILL_BAD_EXIT=1"])
    slurm.launch([["seed=0"]], hydra_context=None, config=asked, task=None)
    assert params[0]["setup"] == ["module load cuda", "export SLURM_KILL_BAD_EXIT=1"]


def test_what_can_be_run_is_not_refused(cluster):
    slurm.check(config(cluster.folder), 1)
    slurm.check(config(cluster.folder, tasks_per_node=2), 2)


@pytest.mark.parametrize(
    ("launcher", "devices", "message"),
    [
        ({"tasks_per_node": 1}, 2, r"hydra\.launcher\.tasks_per_node must be trainer\.devices.*got 1 and 2"),
        ({"tasks_per_node": 2}, 1, r"hydra\.launcher\.tasks_per_node must be trainer\.devices.*got 2 and 1"),
        ({"nodes": 2}, 1, r"hydra\.launcher\.nodes must be 1.*got 2"),
    ],
)
def test_tasks_that_are_not_the_devices_are_refused(cluster, launcher, devices, message):
    with pytest.raises(UserError, match=message):
        slurm.check(config(cluster.folder, **launcher), devices)


def test_a_machine_without_slurm_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("sbatch") is None
    with pytest.raises(UserError, match="Slurm's sbatch, which is not on PATH; launcher=local and launcher=joblib"):
        slurm.check(config(tmp_path), 1)


def test_parameters_go_to_submitit_under_its_names(tmp_path, monkeypatch):
    import submitit

    given = {}
    executor = SimpleNamespace(update_parameters=given.update)
    monkeypatch.setattr(submitit, "AutoExecutor", lambda **init: given.update(init) or executor)
    slurm._executor({"submitit_folder": "F", "max_num_timeout": 3, "timeout_min": 5, "partition": "P", "setup": ["S"]})
    assert given == {
        "cluster": "slurm",
        "folder": "F",
        "slurm_max_num_timeout": 3,
        "timeout_min": 5,
        "slurm_partition": "P",
        "slurm_setup": ["S"],
    }


def test_results_that_are_no_results_are_none(tmp_path):
    for text in ("", "x", "1.5\n", "\xff"):
        (tmp_path / "a").write_text(text)
        assert Result.read(tmp_path / "a") is None
    Result(3, "why").write(tmp_path / "a")
    assert Result.read(tmp_path / "a") == Result(3, "why")
