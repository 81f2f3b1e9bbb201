"""What `resume=` finds."""

import logging
import os
import zipfile

import pytest

from brushnet.checkpoints.run_folder import locate
from brushnet.errors import UserError


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("last", "best"):
        zipfile.ZipFile(folder / "checkpoints" / f"{name}.ckpt", "w").close()
    (folder / "config.yaml").touch()
    return folder


def test_a_folder_means_its_last_checkpoint(run):
    assert locate(str(run)) == (run, run / "checkpoints" / "last.ckpt")


def test_a_checkpoint_means_the_run_it_lies_in(run):
    best = run / "checkpoints" / "best.ckpt"
    assert locate(str(best)) == (run, best)


def test_what_is_no_run_is_named(run, tmp_path):
    with pytest.raises(UserError, match=r"resume must be a run folder or a \.ckpt file in one, got nowhere"):
        locate("nowhere")
    with pytest.raises(UserError, match=r"is not a run folder, it has no config\.yaml"):
        locate(str(tmp_path))


def test_a_run_that_has_saved_nothing_starts_at_step_0(run, caplog):
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with caplog.at_level(logging.WARNING):
        assert locate(str(run)) == (run, None)
    assert f"{run} was stopped before its first checkpoint: it starts at step 0" in caplog.text


def test_a_checkpoint_in_the_root_folder_belongs_to_no_run(monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: path.name == "last.ckpt")
    with pytest.raises(UserError, match=r"resume=/last\.ckpt: / is not a run folder, it has no config\.yaml"):
        locate("/last.ckpt")


@pytest.mark.parametrize("name", ["train.log", "train_ddp_process_1.log", "metrics.csv", "checkpoints", "samples"])
def test_a_run_that_would_write_elsewhere_is_refused(run, tmp_path, name):
    (tmp_path / "of the user").touch()
    if name == "checkpoints":
        (run / name).rename(tmp_path / "moved")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(tmp_path / ("moved" if name == "checkpoints" else "of the user"))
    with pytest.raises(UserError, match=rf"^resume=.*{name} is a link; what a run writes must lie in its folder$"):
        locate(str(run))


def test_a_pipe_in_place_of_a_log_is_refused_and_not_waited_for(run):
    (run / "train.log").unlink(missing_ok=True)
    os.mkfifo(run / "train.log")
    with pytest.raises(UserError, match=r"^resume=.*train\.log is no plain file; what a run writes must lie in its"):
        locate(str(run))
