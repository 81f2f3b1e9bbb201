"""`brushnet train -m` around the training itself, which is replaced here: jobs, names, seeds, outcomes, resume."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import brushnet
from brushnet import cli
from brushnet.commands.sweep_jobs import digest_of
from brushnet.config import conf_dir
from brushnet.config.compose import compose_all, engine, split
from brushnet.errors import BrushnetError, Stopped, UserError
from brushnet.sweeps import outcome, record, stop
from brushnet.sweeps.grid import grid_of
from brushnet.sweeps.names import names_of
from tests.test_train_command import Build


class SweptBuild(Build):
    """Leaves a model too, and judges nothing."""

    judged = ()

    def train(self, cfg, out_dir, **options):
        super().train(cfg, out_dir, **options)
        (out_dir / "model.safetensors").touch()

    def evaluate_run(self, cfg, run_dir, *, allow_pipe=False, progress=None):
        if progress:
            progress(1, 2)
        self.judged = (*self.judged, run_dir.name)


@pytest.fixture
def build(tmp_path, monkeypatch):
    return replaced_build(tmp_path, monkeypatch)


def replaced_build(folder, monkeypatch):
    """The current folder is `folder` now, with two files to choose as paintings."""
    monkeypatch.chdir(folder)
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    fake = SweptBuild()
    monkeypatch.setitem(sys.modules, "brushnet.build", fake)
    monkeypatch.setattr(brushnet, "build", fake, raising=False)
    for name in ("a.jpg", "b (1).jpg"):
        (folder / name).touch()
    return fake


def sweep(*options):
    return cli.main(["train", "-m", "hydra.sweep.dir=s", *options])


def names(folder="s"):
    return [job.name for job in record.read(Path(folder)).jobs]


def states(folder="s"):
    found = {name: outcome.read(Path(folder) / name) for name in names(folder)}
    return {name: each.state if each else None for name, each in found.items()}


def test_each_job_has_a_folder_named_after_what_differs(build, tmp_path):
    assert sweep("stroke=mixed,one_octave", "style.files=a.jpg,b (1).jpg", "net.width=8") == 0
    assert [(call.cfg.stroke.mode, call.cfg.style.files, call.cfg.net.width) for call in build.calls] == [
        ("mixed", ["a.jpg"], 8),
        ("mixed", ["b (1).jpg"], 8),
        ("conditioned", ["a.jpg"], 8),
        ("conditioned", ["b (1).jpg"], 8),
    ]
    assert names() == ["mixed-a", "mixed-b_1", "one_octave-a", "one_octave-b_1"]
    assert [call.out_dir for call in build.calls] == [tmp_path / "s" / name for name in names()]
    assert all("painted" in (call.out_dir / "train.log").read_text() for call in build.calls)
    assert build.judged == tuple(names())
    assert set(states().values()) == {"finished"}


def test_each_job_has_a_seed_of_its_own_from_the_sweeps(build):
    assert sweep("stroke=half,double", "seed=7") == 0
    assert cli.main(["train", "-m", "hydra.sweep.dir=t", "stroke=double,half,fixed", "seed=7"]) == 0
    assert cli.main(["train", "-m", "hydra.sweep.dir=u", "stroke=half,double", "seed=8"]) == 0
    half, double, again_double, again_half, fixed, other, _ = [call.cfg.seed for call in build.calls]
    assert (half, double) == (again_half, again_double)  # whatever else is swept
    assert len({half, double, fixed, other}) == 4


def test_seeds_that_are_swept_are_taken_as_they_are(build):
    assert sweep("seed=0,1", "stroke=half,double") == 0
    assert [(call.cfg.seed, call.cfg.stroke.max) for call in build.calls] == [(0, 0.5), (0, 2), (1, 0.5), (1, 2)]


def test_each_command_trains_the_same_alone(build):
    assert sweep("net.width=8", "style.files=a.jpg,b (1).jpg", "launcher=local", "sweep=weights", "budget=smoke") == 0
    assert len(build.calls) == 4
    for number, call in enumerate(build.calls[:4]):
        command = shlex.split(call.command)
        assert not any(word.startswith(("launcher", "sweep", "hydra")) for word in command)
        assert cli.main([*command[1:], f"hydra.run.dir=again{number}"]) == 0
    assert [call.cfg for call in build.calls[:4]] == [call.cfg for call in build.calls[4:]]


def test_a_smoke_budget_cuts_the_grid_and_each_job(build):
    assert sweep("sweep=scale_x_layers", "budget=smoke", "style.files=a.jpg,b (1).jpg") == 0
    assert names() == [
        f"{stroke}-{layers}-pyramid_levels3-a" for stroke in ("half", "mixed") for layers in ("shallow", "all")
    ]
    assert {call.cfg.trainer.max_steps for call in build.calls} == {4}


@pytest.mark.parametrize("path", sorted((conf_dir() / "sweep").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sweep_is_a_grid_of_jobs_that_compose_and_differ(path):
    lines = path.read_text().splitlines()
    assert lines[1].startswith(f"# brushnet train -m sweep={path.stem} budget=cpu ")
    assert lines[3:6] == ["hydra:", "  sweeper:", "    params:"], "and nothing but the axes"
    with engine() as hydra:
        composed = compose_all(hydra, [f"sweep={path.stem}", "budget=cpu"], sweep=True)
        grid = grid_of(hydra.config_loader, composed.hydra.sweeper.params, [])
        for axis in grid.axes:
            digests = {digest_of(split(compose_all(hydra, [f"{axis.key}={each}"]))[0]) for each in axis.values}
            assert len(digests) == len(axis.values) > 1
    assert len(set(names_of(grid.jobs()))) == len(grid.jobs()) >= 5


def test_one_that_fails_does_not_lose_the_others(build, capsys):
    build.errors = {1: UserError("wrong"), 2: BrushnetError("the disk is full"), 3: TypeError("a bug")}
    assert sweep("seed=0,1,2,3") == 1
    assert list(states().values()) == ["failed", "failed", "failed", "finished"]
    err = capsys.readouterr().err
    assert "s: 1 of 4 jobs finished, 3 failed" in err
    assert "failed: seed0: wrong" in err
    assert "failed: seed1: the disk is full" in err
    assert "failed: seed2: internal error: TypeError: a bug; --debug shows the traceback" in err
    assert "continue with: brushnet train -m resume=s" in err
    assert "look at it with: brushnet report s" in err
    assert "Traceback" in Path("s/seed2/train.log").read_text()


def test_a_sweep_whose_jobs_were_all_refused_ends_with_2(build):
    build.errors = dict.fromkeys((1, 2), UserError("refused"))
    assert sweep("seed=0,1") == 2


def test_one_that_cannot_be_judged_is_finished_all_the_same(build, monkeypatch):
    monkeypatch.setattr(build, "evaluate_run", lambda *_, **__: (_ for _ in ()).throw(BrushnetError("no photos")))
    assert sweep("seed=0,1") == 0
    assert set(states().values()) == {"finished"}
    assert "seed0 is trained, but could not be evaluated: no photos" in Path("s/seed0/train.log").read_text()


def test_stopping_a_job_stops_the_sweep_and_resume_goes_on(build, capsys):
    build.errors[2] = Stopped("stopped at step 3 of 9")
    assert sweep("seed=0,1,2") == 3
    assert list(states().values()) == ["finished", "stopped", None]
    assert "s: 1 of 3 jobs finished, 2 left" in capsys.readouterr().err
    (Path("s/seed1/checkpoints")).mkdir()
    (Path("s/seed1/config.yaml")).write_bytes(Path("s/seed0/config.yaml").read_bytes())
    shutil.copy("s/seed0/checkpoints/last.ckpt", "s/seed1/checkpoints/last.ckpt")
    assert cli.main(["train", "-m", "resume=s"]) == 0
    assert [call.out_dir.name for call in build.calls[2:]] == ["seed1", "seed2"]
    assert build.calls[2].resume_from == Path.cwd() / "s/seed1/checkpoints/last.ckpt"
    assert build.calls[3].resume_from is None
    assert "2 jobs to run in s; 1 are finished" in capsys.readouterr().err
    assert outcome.read(Path("s/seed1")).attempts == 2
    assert cli.main(["train", "-m", "resume=s"]) == 0
    assert len(build.calls) == 4


def test_one_that_is_asked_to_stop_as_its_last_job_ends_is_finished(build, monkeypatch):
    monkeypatch.setattr(build, "evaluate_run", lambda *_, **__: stop.ask(Path("s")) if len(build.calls) == 2 else None)
    assert sweep("seed=0,1") == 0
    assert set(states().values()) == {"finished"}


def test_a_job_that_was_killed_is_run_again(build):
    assert sweep("seed=0,1") == 0
    outcome.write(outcome.Outcome(outcome.RUNNING), Path("s/seed1"))
    assert cli.main(["train", "-m", "resume=s"]) == 0
    assert [call.out_dir.name for call in build.calls[2:]] == ["seed1"]


def test_resume_with_more_values_runs_what_is_missing(build):
    assert sweep("seed=0,1", "net.width=8") == 0
    assert cli.main(["train", "-m", "resume=s", "seed=1,2", "net.width=8", "stroke=half,three_octaves"]) == 0
    assert [call.out_dir.name for call in build.calls[2:]] == ["seed1-half", "seed2-half", "seed2-three_octaves"]
    assert record.read(Path("s")).axes == {"seed": ["0", "1", "2"], "stroke": ["half", "three_octaves"]}
    assert cli.main(["train", "-m", "resume=s"]) == 0
    assert len(build.calls) == 5


def test_resume_from_another_conf_is_refused(build, tmp_path, monkeypatch, capsys):
    copy = shutil.copytree(conf_dir(), tmp_path / "conf")
    monkeypatch.setenv("BRUSHNET_CONF", str(copy))
    build.errors[1] = BrushnetError("failed")
    assert sweep("seed=0,1") == 1
    (copy / "net" / "quick.yaml").write_text("width: 8\n")
    assert cli.main(["train", "-m", "resume=s"]) == 2
    assert "resume=s: seed0 would be trained with other options than when the sweep began" in capsys.readouterr().err


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """A sweep of which one job has failed, to be copied: none of its jobs is looked at more closely than here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        fake = replaced_build(tmp_path_factory.mktemp("stranger"), monkeypatch)
        fake.errors[1] = BrushnetError("failed")
        assert sweep("seed=0,1") == 1
        return Path("s").resolve()


@pytest.mark.parametrize(
    "override",
    [
        "hydra/launcher=joblib",
        "hydra.run.dir=x",
        "+net.x=1",
        "~net",
        "net.width=${oc.env:HOME}",
        "experiment='../../evil'",
        "experiment=../../evil",
        "net@hydra=quick",
        "net=slim,johnson",
    ],
)
def test_a_strangers_sweep_can_set_options_of_runs_alone(build, strangers, capsys, override):
    shutil.copytree(strangers, "s")
    content = json.loads(Path("s/sweep.json").read_text())
    content["jobs"][0]["overrides"].append(override)
    Path("s/sweep.json").write_text(json.dumps(content))
    assert cli.main(["train", "-m", "resume=s"]) == 2
    assert f"sweep.json: seed0 may hold options of a run alone, got {override}" in capsys.readouterr().err
    assert build.calls == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["trainer.max_steps=5,x"], "trainer.max_steps must be a whole number, got x"),
        (["stroke.min=0.5,3"], "stroke.min must be below stroke.max"),
        (["loss.style_layers=[{name: relu1_1}],[{name: relu9_9}]"], "loss.style_layers must name layers of the loss"),
        (["layers=all,dep"], "layers must be one of all, deep, middle, shallow, got dep; did you mean deep?"),
        (["loss.stile_weight=1,2"], "unknown option loss.stile_weight; did you mean loss.style_weight?"),
        (["style.files=a.jpg,gone.jpg"], "style.files: gone.jpg does not exist; give picture files"),
        (
            ["trainer.devices=1,2"],
            "trainer.devices must be 1 in a sweep (-m) with launcher=local, got 2; launcher=slurm",
        ),
        (["launcher=local,joblib"], "launcher is the same for all jobs of a sweep, got local,joblib"),
        (["budget=smoke,cpu"], "budget is the same for all jobs of a sweep, got smoke,cpu"),
        (
            ["resume=a"],
            "with -m resume must be the folder of a sweep, with a sweep.json, got a; without -m it continues",
        ),
        (["seed=1,2", "--cfg", "job"], "--cfg shows one run, so it cannot be combined with -m, got --cfg job"),
        (
            ["hydra/launcher=submitit_local"],
            "launcher must be one of local, joblib, slurm, got hydra/launcher of hydra_",
        ),
        (["loss.style_weight=interval(0,1)"], "loss.style_weight must be swept over a list of values"),
    ],
)
def test_a_sweep_with_a_wrong_job_never_starts(build, tmp_path, capsys, options, message):
    before = sorted(tmp_path.rglob("*"))
    assert sweep(*options) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert build.calls == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("launcher", "package"), [("joblib", "hydra-joblib-launcher"), ("slurm", "hydra-submitit-launcher")]
)
def test_a_launcher_that_is_not_installed_is_named(build, tmp_path, monkeypatch, capsys, launcher, package):
    monkeypatch.setattr("brushnet.commands.sweep._installed", lambda package: False)
    assert sweep(f"launcher={launcher}", "seed=0,1") == 2
    message = f"launcher={launcher} needs the package {package}: pip install 'brushnet[sweep]'"
    assert message in capsys.readouterr().err
    assert not Path("s").exists()


def test_more_processes_than_gpus_are_refused(build, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert sweep("launcher=joblib", "seed=0,1") == 2
    message = "hydra.launcher.n_jobs must be at least 1 and at most 1, the GPUs here, one for each job, got 2"
    assert message in capsys.readouterr().err


def test_a_folder_with_a_sweep_or_runs_is_refused(build, capsys):
    assert sweep("seed=0,1") == 0
    assert sweep("seed=2,3") == 2
    message = "s already holds a sweep; -m resume=s continues it, hydra.sweep.dir=DIR starts another"
    assert message in capsys.readouterr().err
    Path("s/sweep.json").unlink()
    assert sweep("seed=2,3") == 2
    assert "s already holds runs; hydra.sweep.dir=DIR starts a sweep elsewhere" in capsys.readouterr().err
    assert len(build.calls) == 2


def test_a_folder_in_which_a_sweep_runs_is_refused(build, capsys):
    assert sweep("seed=0,1") == 0
    code = "import fcntl, sys; file = open('s/.lock', 'ab'); fcntl.lockf(file, fcntl.LOCK_EX); print(flush=True)"
    command = [sys.executable, "-c", f"{code}; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"\n"
        assert cli.main(["train", "-m", "resume=s"]) == 2
        assert "s is in use: another process is training there" in capsys.readouterr().err
        other.kill()


def test_runs_at_wandb_are_one_group(build):
    assert sweep("logger=wandb", "seed=0,1") == 0
    assert {call.cfg.logger.group for call in build.calls} == {"s"}
    assert cli.main(["train", "-m", "logger=wandb", "logger.group=mine", "seed=0,1", "hydra.sweep.dir=t"]) == 0
    assert {call.cfg.logger.group for call in build.calls[2:]} == {"mine"}
    assert cli.main(["train", "-m", "seed=0,1", "hydra.sweep.dir=u"]) == 0
    assert {call.cfg.logger.group for call in build.calls[4:]} == {None}


def test_a_folder_that_no_job_can_use_costs_that_job_alone(build, tmp_path, capsys):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "seed0").touch()
    (tmp_path / "s" / "seed1" / "train.log").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s" / "seed2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "s" / "seed3").mkdir()
    (tmp_path / "s" / "seed3" / "train.log").symlink_to(tmp_path / "elsewhere" / "log")
    assert sweep("seed=0,1,2,3,4") == 1
    assert [call.out_dir.name for call in build.calls] == ["seed4"]
    err = capsys.readouterr().err
    assert "s: 1 of 5 jobs finished, 4 failed" in err
    for number, cause in enumerate(("is no folder", "train.log is a folder", "seed2 is a link", "train.log is a link")):
        assert f"failed: seed{number}: s/seed{number}" in err
        assert cause in err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_how_it_goes_on_is_told_with_what_the_launcher_was_told(build, tmp_path, capsys):
    (tmp_path / "conf").mkdir()
    build.errors[1] = BrushnetError("failed")
    options = ["launcher=joblib", "hydra.launcher.n_jobs=1", "--allow-pipe", "--config-dir", "conf"]
    assert sweep("seed=0,1", "net.width=8", *options) == 1
    again = "brushnet train --config-dir conf --allow-pipe -m launcher=joblib hydra.launcher.n_jobs=1 resume=s"
    assert f"continue with: {again}\n" in capsys.readouterr().err
    assert cli.main(shlex.split(again)[1:]) == 0
    assert [call.out_dir.name for call in build.calls] == ["seed0", "seed1", "seed0"]
    assert all(call.allow_pipe for call in build.calls)


def test_resume_with_options_but_no_axis_adds_nothing(build, capsys):
    assert sweep("seed=0,1") == 0
    before = Path("s/sweep.json").read_bytes()
    assert cli.main(["train", "-m", "resume=s", "trainer.max_steps=9", "net.width=8"]) == 2
    message = "e.g. seed=2,3; got no option with several values: trainer.max_steps, net.width"
    assert message in capsys.readouterr().err
    assert Path("s/sweep.json").read_bytes() == before


def test_one_that_was_killed_before_comes_last(build):
    assert sweep("seed=0,1,2") == 0
    outcome.write(outcome.Outcome(outcome.RUNNING), Path("s/seed0"))
    outcome.write(outcome.Outcome(outcome.FAILED), Path("s/seed1"))
    assert cli.main(["train", "-m", "resume=s"]) == 0
    assert [call.out_dir.name for call in build.calls[3:]] == ["seed1", "seed0"]


@pytest.mark.parametrize("option", ["sweep=layers", "launcher=joblib"])
def test_what_is_for_sweeps_needs_m(build, tmp_path, capsys, option):
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["train", option]) == 2
    assert f"{option} is for a sweep, which needs -m: brushnet train -m {option} ..." in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
