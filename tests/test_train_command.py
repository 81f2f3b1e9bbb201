"""`brushnet train` around the training itself, which is replaced here: folders, logs, resume, failures."""

import logging
import shlex
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest
import yaml

import brushnet
from brushnet import cli
from brushnet.commands.job import rank
from brushnet.config import Config, compose, save
from brushnet.errors import BrushnetError, Stopped, UserError


class Build:
    """Stands for brushnet.build: keeps what it was asked for, and fails as told."""

    def __init__(self):
        self.calls = []
        self.errors = {}
        self.saves = True

    def train(self, cfg, out_dir, *, resume_from=None, allow_pipe=False, command=None, given=()):
        asked = {"resume_from": resume_from, "allow_pipe": allow_pipe, "command": command, "given": given}
        self.calls.append(SimpleNamespace(cfg=cfg, out_dir=out_dir, **asked))
        if error := self.errors.get(len(self.calls)):
            raise error
        save(cfg, out_dir / "config.yaml")
        if self.saves:
            (out_dir / "checkpoints").mkdir(exist_ok=True)
            zipfile.ZipFile(out_dir / "checkpoints" / "last.ckpt", "w").close()
        logging.getLogger("brushnet.test").info("painted")


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    fake = Build()
    monkeypatch.setitem(sys.modules, "brushnet.build", fake)
    monkeypatch.setattr(brushnet, "build", fake, raising=False)
    return fake


def test_a_run_gets_its_folder_and_log(build, tmp_path, capsys):
    assert cli.main(["train", "net.width=8", "hydra.run.dir=my runs/a (1)"]) == 0
    call = build.calls[0]
    assert call.cfg == compose(["net.width=8"])
    assert call.out_dir == tmp_path / "my runs" / "a (1)"
    assert (call.resume_from, call.allow_pipe) == (None, False)
    assert "painted" in (call.out_dir / "train.log").read_text()
    assert sorted(path.name for path in call.out_dir.iterdir()) == ["checkpoints", "config.yaml", "train.log"]
    assert capsys.readouterr() == ("", "painted\n")


def test_a_log_for_which_the_disk_has_no_room_is_no_traceback(build, monkeypatch, capsys):
    flush = logging.StreamHandler.flush

    def full(self):
        if isinstance(self, logging.FileHandler):
            raise OSError(28, "No space left on device")
        flush(self)

    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setattr(logging.StreamHandler, "flush", full)
    assert cli.main(["train", "hydra.run.dir=a"]) == 0
    assert capsys.readouterr().err == "painted\n"


def test_default_folder_is_named_after_the_painting(build, tmp_path):
    assert cli.main(["train", "style.files=[art/My Starry (é).jpg,b.jpg]"]) == 0
    assert build.calls[0].out_dir.parent == tmp_path / "runs"
    assert build.calls[0].out_dir.name.startswith("My_Starry_é+1-20")


def test_pipe_is_allowed_by_the_flag_alone(build):
    assert cli.main(["train", "hydra.run.dir=a", "--allow-pipe"]) == 0
    assert build.calls[0].allow_pipe
    assert cli.main(["train", "allow_pipe=true"]) == 2
    assert cli.main(["train", "data.allow_pipe=true"]) == 2


def test_flags_may_stand_before_and_between_overrides(build):
    assert cli.main(["train", "--allow-pipe", "seed=3", "--debug", "hydra.run.dir=a"]) == 0
    assert build.calls[0].cfg.seed == 3


@pytest.mark.parametrize(
    "override", ["net.widht=3", "net=slm", "trainer.max_steps=x", "stroke.min=9", "hydra.nothing=1"]
)
def test_a_wrong_override_writes_nothing(build, tmp_path, override):
    assert cli.main(["train", override]) == 2
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["train", "-m", "seed=1,2", override]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_run_is_refused_and_left_alone(build, tmp_path, capsys):
    assert cli.main(["train", "hydra.run.dir=a"]) == 0
    before = (tmp_path / "a" / "train.log").read_text()
    assert cli.main(["train", "hydra.run.dir=a"]) == 2
    assert "a already holds a run: resume=a continues it, hydra.run.dir=DIR starts another" in capsys.readouterr().err
    assert (tmp_path / "a" / "train.log").read_text() == before
    assert len(build.calls) == 1


def test_a_run_that_has_saved_nothing_may_start_anew(build, tmp_path):
    build.saves = False
    assert cli.main(["train", "hydra.run.dir=a"]) == 0
    (tmp_path / "a" / "checkpoints").mkdir()
    assert cli.main(["train", "hydra.run.dir=a", "seed=1"]) == 0
    assert build.calls[1].cfg.seed == 1
    (tmp_path / "a" / "model.safetensors").touch()
    assert cli.main(["train", "hydra.run.dir=a"]) == 2


def test_processes_that_lightning_adds_may_enter_the_folder(build, tmp_path, monkeypatch):
    assert cli.main(["train", "hydra.run.dir=a"]) == 0
    monkeypatch.setenv("LOCAL_RANK", "1")
    added = ['hydra.run.dir="a"', "hydra.job.name=train_ddp_process_1", "hydra.output_subdir=null"]
    assert cli.main(["train", "--allow-pipe", *added]) == 0
    assert build.calls[1].out_dir == tmp_path / "a"
    assert (tmp_path / "a" / "train_ddp_process_1.log").is_file()


def test_a_rank_that_is_no_number_is_that_of_a_single_process(monkeypatch):
    monkeypatch.setenv("RANK", "²")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert rank() == 3


def test_a_request_refused_by_the_training_leaves_nothing(build, tmp_path, capsys):
    build.errors[1] = UserError("data.path=nowhere does not exist")
    assert cli.main(["train", "hydra.run.dir=a"]) == 2
    assert capsys.readouterr().err == "brushnet: error: data.path=nowhere does not exist\n"
    assert list(tmp_path.iterdir()) == []
    logging.getLogger().warning("afterwards")  # does not open the log again, in the folder that is gone
    assert list(tmp_path.iterdir()) == []


def test_a_refused_request_removes_the_parents_it_made_and_no_other(build, tmp_path):
    (tmp_path / "mine").mkdir()
    build.errors = dict.fromkeys((1, 2, 3, 4), UserError("refused"))
    assert cli.main(["train"]) == 2  # the default folder: runs/NAME-DATE
    assert cli.main(["train", "hydra.run.dir=mine/new/deep"]) == 2
    assert cli.main(["train", "hydra.run.dir=mine"]) == 2
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    (tmp_path / "mine" / "train.log").write_text("kept\n")
    assert cli.main(["train", "hydra.run.dir=mine"]) == 2
    assert "kept" in (tmp_path / "mine" / "train.log").read_text()


def test_home_of_an_unknown_user_is_a_plain_name(build, tmp_path):
    assert cli.main(["train", "hydra.run.dir=~nosuchuser/a"]) == 0
    assert build.calls[0].out_dir == tmp_path / "~nosuchuser" / "a"


@pytest.mark.parametrize(
    ("error", "code", "logged"),
    [
        (BrushnetError("the loss is not finite"), 1, "[ERROR] brushnet: error: the loss is not finite"),
        (TypeError("a bug"), 1, "Traceback (most recent call last)"),
    ],
)
def test_a_failure_is_said_once_and_kept_in_the_log(build, tmp_path, capsys, error, code, logged):
    build.errors[1] = error
    assert cli.main(["train", "hydra.run.dir=a"]) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert logged in (tmp_path / "a" / "train.log").read_text()


def test_a_stopped_run_ends_with_3(build, capsys):
    build.errors[1] = Stopped("stopped at step 5")
    assert cli.main(["train", "hydra.run.dir=a"]) == 3
    assert capsys.readouterr().err == "brushnet: stopped at step 5\n"


def test_cfg_job_shows_the_configuration_and_writes_nothing(build, tmp_path, capsys):
    assert cli.main(["train", "--cfg", "job", "seed=4"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["seed"] == 4
    assert list(tmp_path.iterdir()) == []
    assert build.calls == []


def test_cfg_hydra_shows_hydras_own(build, capsys):
    assert cli.main(["train", "--cfg", "hydra"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["hydra"]["sweep"]["subdir"] == "${hydra.job.num}"


@pytest.fixture
def run(build, tmp_path):
    assert cli.main(["train", "net=johnson", "hydra.run.dir=old run"]) == 0
    return tmp_path / "old run"


def test_resume_continues_in_the_runs_folder_with_its_configuration(build, run):
    assert cli.main(["train", "resume=old run", "trainer.max_steps=9"]) == 0
    call = build.calls[1]
    assert (call.cfg.net.width, call.cfg.trainer.max_steps, call.cfg.resume) == (32, 9, None)
    assert call.out_dir == run
    assert call.resume_from.resolve() == run / "checkpoints" / "last.ckpt"
    assert (run / "train.log").read_text().count("painted") == 2  # appended


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_two_processes_do_not_train_in_one_folder(build, run, capsys):
    lock = (
        "import fcntl, sys; log = open(sys.argv[1], 'a'); fcntl.lockf(log, fcntl.LOCK_EX); print(flush=True); input()"
    )
    other = [sys.executable, "-c", lock, str(run / "train.log")]
    capsys.readouterr()
    with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"\n"
        assert cli.main(["train", "resume=old run"]) == 2
        assert capsys.readouterr().err == (
            f"brushnet: error: {run} is in use: another process is training there; wait for its end, or stop it and "
            "resume then\n"
        )
        assert len(build.calls) == 1
        process.kill()
    assert cli.main(["train", "resume=old run"]) == 0
    assert len(build.calls) == 2


def test_resume_from_a_checkpoint_continues_in_its_run(build, run):
    assert cli.main(["train", f"resume={run}/checkpoints/last.ckpt"]) == 0
    assert build.calls[1].out_dir == run


def test_resume_shows_the_runs_configuration(build, run, capsys):
    capsys.readouterr()
    assert cli.main(["train", "resume=old run", "--cfg", "job"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["net"]["width"] == 32


def test_resume_refuses_other_options_and_keeps_the_run(build, run, capsys):
    assert cli.main(["train", "resume=old run", "net.width=16"]) == 2
    assert "got net.width: 32 -> 16; allowed to change: trainer.max_steps" in capsys.readouterr().err
    build.errors[2] = UserError("refused")
    assert cli.main(["train", "resume=old run"]) == 2
    assert (run / "config.yaml").is_file()


def test_resume_on_several_devices_takes_what_lightning_adds(build, run, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert cli.main(["train", "resume=old run", "trainer.devices=2", 'hydra.run.dir="old run"']) == 0
    assert build.calls[1].cfg.trainer.devices == 2


def test_a_fork_is_a_new_run_with_the_runs_configuration(build, run, tmp_path):
    save(compose(["net=johnson", "style.files=[night.jpg,wave.jpg]"]), run / "config.yaml")
    assert cli.main(["train", "resume=old run", "--fork", "seed=5"]) == 0
    call = build.calls[1]
    assert (call.cfg.net.width, call.cfg.seed, call.cfg.resume) == (32, 5, None)
    assert (tmp_path / call.cfg.fork, call.resume_from) == (run / "checkpoints" / "last.ckpt", None)
    assert call.out_dir.parent == tmp_path / "runs"
    assert call.out_dir.name.startswith("night+1-20")  # after the run's paintings, which nobody named here
    assert call.command == "brushnet train --fork 'resume=old run' seed=5"
    assert cli.main(["train", f"resume={run}/checkpoints/last.ckpt", "--fork", "hydra.run.dir=new"]) == 0
    assert build.calls[2].out_dir == tmp_path / "new"


def test_a_fork_shows_its_configuration(build, run, capsys):
    capsys.readouterr()
    assert cli.main(["train", "resume=old run", "--fork", "stroke=half", "--cfg", "job"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["fork"], shown["net"]["width"], shown["stroke"]["max"]) == ("old run/checkpoints/last.ckpt", 32, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net=johnson"], "--fork needs resume=RUN_OR_CKPT, the run whose weights and configuration the new one takes"),
        (
            ["-m", "resume=old run", "seed=0,1"],
            "--fork starts one run, so it cannot be combined with -m; fork=MODEL can",
        ),
        (
            ["resume=old run", "hydra.run.dir=old run"],
            "--fork writes nothing into old run, got hydra.run.dir=old run; ",
        ),
        (["resume=old run", "hydra.run.dir=old run/new"], "--fork writes nothing into old run, got hydra.run.dir=old "),
        (["resume=old run", "fork=a"], "--fork sets the option fork to the checkpoint of resume=, got fork=a too"),
        (["resume=old run", "stroke.max=0.1"], "stroke.min must be below stroke.max"),
        (["resume=nowhere"], "resume must be a run folder or a .ckpt file in one, got nowhere"),
    ],
)
def test_a_fork_that_cannot_be_writes_nothing(build, run, tmp_path, capsys, arguments, message):
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["train", "--fork", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before
    assert len(build.calls) == 1


def test_processes_that_lightning_adds_enter_the_folder_of_the_fork(build, run, tmp_path, monkeypatch):
    assert cli.main(["train", "resume=old run", "--fork", "hydra.run.dir=new"]) == 0
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert cli.main(["train", "resume=old run", "--fork", "hydra.run.dir=new", 'hydra.run.dir="new"']) == 0
    assert build.calls[2].cfg == build.calls[1].cfg
    assert build.calls[2].out_dir == tmp_path / "new"


def test_the_training_is_told_the_command_as_it_was_typed(build, tmp_path):
    (tmp_path / "conf").mkdir()
    typed = [
        "style.files=[my art.jpg]",
        "data.path=~/photos",
        "--config-dir",
        "conf",
        "hydra.run.dir=a",
        "--allow-pipe",
    ]
    assert cli.main(["train", *typed]) == 0
    assert build.calls[0].command == (
        "brushnet train --config-dir conf --allow-pipe 'style.files=[my art.jpg]' 'data.path=~/photos' hydra.run.dir=a"
    )
    pasted = shlex.split(build.calls[0].command.replace("hydra.run.dir=a", "hydra.run.dir=b"))
    assert cli.main(pasted[1:]) == 0
    assert build.calls[1].cfg == build.calls[0].cfg


def test_a_resume_has_a_command_where_it_changes_something(build, run):
    assert cli.main(["train", "resume=old run", "trainer.max_steps=9"]) == 0
    assert cli.main(["train", "resume=old run"]) == 0
    assert [call.command for call in build.calls[1:]] == ["brushnet train 'resume=old run' trainer.max_steps=9", None]


def test_help_shows_groups_and_common_options_of_the_schema(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = capsys.readouterr().out
    assert "stroke=     double, fixed, half, mixed, narrow, one_octave, three_octaves, two_octaves" in text
    assert f"trainer.max_steps={Config().trainer.max_steps}" in text
    assert "--fork                with resume=: a new run from that run's weights" in text
    assert "style.reference_px=256              short side of the painting at s = 1 (px)" in text
