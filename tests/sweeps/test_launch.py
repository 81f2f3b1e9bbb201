"""What becomes of jobs whose launcher loses them."""

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from brushnet.errors import UserError
from brushnet.sweeps import launch, outcome, stop
from brushnet.sweeps.outcome import Outcome
from brushnet.sweeps.record import SweepJob

JOBS = [SweepJob(name, (f"net.width={place + 8}",), {}, name) for place, name in enumerate(("a", "b", "c"))]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs JOBS with joblib's rounds: each call takes what one round leaves in the folders."""

    def begin(*rounds, jobs=JOBS):
        started = []

        def one_round(chosen, *_):
            started.append([each[0] for each in chosen])
            for name, state in rounds[len(started) - 1].items():
                if state == "stop":
                    stop.ask(tmp_path)
                    continue
                (tmp_path / name).mkdir(exist_ok=True)
                outcome.write(Outcome(state, code=0, attempts=len(started)), tmp_path / name)

        monkeypatch.setattr(launch, "_joblib", one_round)
        composed = OmegaConf.create({"hydra": {"callbacks": None, "overrides": {"hydra": []}}})
        launch.launch(
            jobs,
            kind="joblib",
            sweep_dir=tmp_path,
            overrides=lambda job: [job.name],
            hydra=SimpleNamespace(config_loader=None),
            composed=composed,
            task=lambda composed: 0,
        )
        return started

    return begin


def test_each_job_is_started_once_where_all_goes_well(run):
    assert run({"a": "finished", "b": "failed", "c": "finished"}) == [["a", "b", "c"]]


def test_where_there_is_nothing_to_do_no_launcher_is_asked(run):
    assert run(jobs=[]) == []


def test_what_was_killed_is_started_again_alone_and_then_what_never_began(run, tmp_path):
    assert run({"a": "finished", "b": "running"}, {"b": "finished"}, {"c": "finished"}) == [
        ["a", "b", "c"],
        ["b"],
        ["c"],
    ]
    assert outcome.read(tmp_path / "b").state == "finished"


def test_what_is_killed_twice_has_failed_and_its_neighbour_has_not(run, tmp_path):
    rounds = ({"a": "running", "b": "running"}, {"a": "running"}, {"b": "finished"}, {"c": "finished"})
    assert run(*rounds) == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert outcome.read(tmp_path / "a") == Outcome(
        "failed", "killed from outside, or out of memory", attempts=2, code=1
    )
    assert outcome.read(tmp_path / "b").state == outcome.read(tmp_path / "c").state == "finished"


def test_a_job_that_cannot_even_begin_is_not_tried_for_ever(run, tmp_path):
    assert run({"a": "finished", "b": "finished"}, {}, {}) == [["a", "b", "c"], ["c"]]
    assert outcome.read(tmp_path / "c").cause == "killed from outside, or out of memory"


def test_nothing_is_started_after_a_stop_nor_again(run, tmp_path):
    assert run({"a": "finished", "b": "running", "": "stop"}) == [["a", "b", "c"]]
    assert outcome.read(tmp_path / "b").state == "running"  # and has not failed
    assert run() == []


def test_launchers_of_others_are_refused():
    with pytest.raises(UserError, match=r"launcher must be one of local, joblib, slurm, got hydra/launcher of x\.Ray"):
        launch.kind_of(asked("x.RayLauncher"))


def test_joblib_with_one_job_at_a_time_is_this_process():
    assert launch.kind_of(asked("x.JoblibLauncher", n_jobs=2)) == "joblib"
    assert launch.kind_of(asked("x.JoblibLauncher", n_jobs=-1)) == "joblib"
    assert launch.kind_of(asked("x.JoblibLauncher", n_jobs=1)) == "local"
    with pytest.raises(UserError, match=r"hydra\.launcher\.n_jobs must be a number of jobs at a time, .* got 0"):
        launch.kind_of(asked("x.JoblibLauncher", n_jobs=0))


def asked(target, **options):
    return SimpleNamespace(hydra=SimpleNamespace(launcher=SimpleNamespace(_target_=target, **options)))


def test_jobs_are_not_told_the_options_of_the_launcher():
    told = ["hydra.launcher.n_jobs=3", "hydra/launcher=joblib", "hydra.sweep.dir=s", "hydra.verbose=true"]
    composed = OmegaConf.create({"hydra": {"overrides": {"hydra": told}}})
    OmegaConf.set_struct(composed, True)
    assert launch._without_launcher(composed).hydra.overrides.hydra == ["hydra.sweep.dir=s", "hydra.verbose=true"]
    assert composed.hydra.overrides.hydra == told
