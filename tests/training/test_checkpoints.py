import csv
import errno
import logging
import os

import pytest
import torch

import brushnet
from brushnet.checkpoints import file as checkpoint_file
from brushnet.checkpoints import folder
from brushnet.errors import BrushnetError, UserError
from brushnet.training import checkpoints


def names(run_dir):
    return {path.name for path in (run_dir / "checkpoints").iterdir()}


def step_of(path):
    return torch.load(path, weights_only=True)["global_step"]


def test_the_last_ones_are_kept_under_their_steps(train):
    run_dir = train("trainer.checkpoint_every_steps=2", "trainer.keep_checkpoints=3")
    assert names(run_dir) == {"last.ckpt", "step_000010.ckpt", "step_000008.ckpt", "best.ckpt"}
    assert {path.name: step_of(path) for path in (run_dir / "checkpoints").glob("[ls]*")} == {
        "last.ckpt": 12,
        "step_000010.ckpt": 10,
        "step_000008.ckpt": 8,
    }


def test_one_alone_can_be_kept(train):
    assert names(train("trainer.keep_checkpoints=1")) == {"last.ckpt", "best.ckpt"}


def test_time_saves_as_well_as_steps(train, monkeypatch):
    written = []
    original = checkpoints.Checkpoints.save
    monkeypatch.setattr(
        checkpoints.Checkpoints, "save", lambda *args: (written.append(args[1].global_step), original(*args))
    )
    train("trainer.checkpoint_every_steps=1000", "trainer.checkpoint_every_minutes=1e-9", "trainer.max_steps=4")
    assert written == [1, 2, 3, 4]


def test_the_best_one_is_that_of_the_lowest_validation_loss(train):
    run_dir = train("trainer.validate_every_steps=3")
    with (run_dir / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/loss"]]
    lowest = min(rows, key=lambda row: float(row["val/loss"]))
    assert step_of(run_dir / "checkpoints" / "best.ckpt") == int(lowest["step"])


def test_processes_that_find_other_losses_still_save_the_best_one_together(train, monkeypatch):
    steps = []
    monkeypatch.setattr(
        "pytorch_lightning.strategies.SingleDeviceStrategy.broadcast",
        lambda self, found, src=0: 1.0 if isinstance(found, float) else found,  # rank 0 finds 1.0 each time
    )
    monkeypatch.setattr(
        checkpoints.Checkpoints, "_write", lambda self, trainer, name: steps.append((name, trainer.global_step))
    )
    train("trainer.validate_every_steps=3")
    assert [step for name, step in steps if name == folder.BEST] == [3]


def test_what_a_killed_run_left_half_written_is_cleared_away(train):
    run_dir = train("trainer.max_steps=4")
    left = [".config.yaml.7.part", "samples/.step_000004.jpg.7.part", "checkpoints/.last.ckpt.part"]
    for name in left:
        (run_dir / name).write_bytes(b"half")
    train("trainer.max_steps=5", resume_from=run_dir / "checkpoints" / "last.ckpt")
    assert not [name for name in left if (run_dir / name).exists()]


def test_a_damaged_newest_falls_back_to_the_one_before_and_ends_the_same(train, caplog):
    whole = train(out="whole")
    broken = train("trainer.max_steps=8", out="broken")
    last = broken / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-3000])
    with caplog.at_level(logging.WARNING):
        chosen = folder.newest(broken / "checkpoints")
    assert chosen.name == "step_000004.ckpt"
    assert "last.ckpt is damaged" in caplog.text
    train(out="broken", resume_from=chosen)
    assert names(broken) == {"last.ckpt", "step_000008.ckpt", "best.ckpt"}  # the damaged one was not kept as step 8
    assert step_of(broken / "checkpoints" / "step_000008.ckpt") == 8
    assert steps(broken) == steps(whole)


def steps(run_dir):
    with (run_dir / "metrics.csv").open() as file:
        return [(row["step"], row["train/loss"] != "") for row in csv.DictReader(file)]


def test_a_checkpoint_of_a_future_that_was_left_is_not_kept(train):
    run_dir = train("trainer.keep_checkpoints=5")
    train("trainer.keep_checkpoints=5", "trainer.max_steps=6", resume_from=run_dir / "checkpoints" / "step_000004.ckpt")
    assert names(run_dir) == {"last.ckpt", "step_000004.ckpt", "best.ckpt"}
    assert step_of(run_dir / "checkpoints" / "last.ckpt") == 6


def test_the_model_of_an_unfinished_run_is_its_newest_checkpoint_that_is_whole(train):
    run_dir = train()
    (run_dir / "model.safetensors").unlink()
    assert brushnet.load(run_dir).meta.training["steps"] == 12
    (run_dir / "checkpoints" / "last.ckpt").write_bytes(b"")
    assert brushnet.load(run_dir).meta.training["steps"] == 8


@pytest.fixture
def full_after(monkeypatch):
    """full_after(count): every flush to the disk after that many fails, as on a full one."""

    def patch(count):
        flushed = []
        original = os.fsync

        def fsync(descriptor):
            flushed.append(descriptor)
            if len(flushed) > count:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            original(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return patch


@pytest.mark.parametrize("count", [5, 9, 13])
def test_a_full_disk_stops_the_run_keeps_what_was_saved_and_ends_the_same_when_resumed(
    train, full_after, monkeypatch, count
):
    whole = train(out="whole")
    full_after(count)
    with pytest.raises(
        BrushnetError,
        match=r"cannot write .*: No space left on device; what was saved before is kept; make room and continue "
        r"with: brushnet train resume=.*full",
    ):
        train(out="full")
    monkeypatch.undo()
    run_dir = whole.parent / "full"
    chosen = folder.newest(run_dir / "checkpoints")
    assert not list(run_dir.rglob("*.part"))
    train(out="full", resume_from=chosen)
    assert brushnet.load(run_dir).meta.training["steps"] == 12
    assert steps(run_dir) == steps(whole)


def test_a_full_disk_for_a_sample_grid_is_said_as_well(train, monkeypatch):
    def fail(*args):
        error = BrushnetError("cannot write step_000006.jpg: No space left on device")
        raise error from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "step_000006.jpg")

    monkeypatch.setattr("brushnet.images.write", fail)
    with pytest.raises(BrushnetError, match=r"cannot write step_000006\.jpg: No space .* make room and continue with"):
        train()


def test_another_fault_of_the_disk_asks_to_mend_it(train, monkeypatch):
    def fail(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "last.ckpt")

    monkeypatch.setattr("brushnet.checkpoints.file.write_whole", fail)
    with pytest.raises(BrushnetError, match=r"cannot write last\.ckpt: Input/output error; .* mend that and continue"):
        train()


def test_what_is_no_fault_of_writing_is_not_called_so(train, monkeypatch):
    def fail(*args):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("brushnet.training.callbacks.StreamPosition.on_train_batch_start", fail)
    with pytest.raises(BrushnetError, match=r"^the system failed with .*run: Too many open files; what was saved"):
        train()


def test_a_checkpoint_that_is_refused_leaves_the_rows_as_they_are(train):
    run_dir = train("trainer.max_steps=8")
    rows = (run_dir / "metrics.csv").read_text()
    last, spoilt = run_dir / "checkpoints" / "step_000004.ckpt", run_dir / "checkpoints" / "spoilt.ckpt"
    content = torch.load(last, weights_only=True)
    content["PhotoData"]["samples"] = -1
    checkpoint_file.write(content, spoilt)
    with pytest.raises(UserError, match=r"samples must be a number from 0, got -1"):
        train(resume_from=spoilt)
    assert (run_dir / "metrics.csv").read_text() == rows
