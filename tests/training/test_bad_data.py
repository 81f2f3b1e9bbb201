"""Trainings on damaged photos: they go on, tell what they left out, and stop where too many are bad."""

import itertools
import re
import time

import pytest

from brushnet.data import keeper, remote, transfer
from brushnet.data.pack import pack
from brushnet.errors import BrushnetError, UserError
from brushnet.training.callbacks import StreamPosition
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.run import read_checkpoint
from tests.flaky_server import serving


def rows(run) -> list[dict[str, str]]:
    return MetricsCsv(run / "metrics.csv").rows()


def told(run, step: int) -> dict[str, str]:
    """What metrics.csv says of the photos at the validation after a step."""
    cells = {name: cell for row in rows(run) if int(row["step"]) == step for name, cell in row.items() if cell}
    return {name: cell for name, cell in cells.items() if name.startswith("data/")}


@pytest.fixture
def some_broken(photos_dir):
    for number in range(3):
        (photos_dir / f"broken{number}.jpg").write_bytes(b"")
    return photos_dir


def test_too_many_bad_photos_stop_the_training_and_leave_a_run_to_go_on_with(train, photos_dir, tmp_path):
    for number in range(9):
        (photos_dir / f"broken{number}.jpg").write_bytes(b"")
    message = (
        r"^training stopped: (\d+) of (\d+) photos looked at cannot be used, more than data\.max_bad_fraction=0\.25 "
        rf"allows: \1 broken; worst: {re.escape(str(photos_dir))} \(\1: (?:broken\d\.jpg, )+\.\.\.\); "
        r"put whole ones in their place, under the same names, or raise data\.max_bad_fraction, then resume$"
    )
    with pytest.raises(BrushnetError, match=message) as caught:
        train()
    assert not isinstance(caught.value, UserError)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    stopped_at = read_checkpoint(last)["global_step"]
    assert 2 < stopped_at < 12
    assert int(rows(tmp_path / "run")[-1]["step"]) == stopped_at
    train("data.max_bad_fraction=1", resume_from=last)
    assert {int(row["step"]) for row in rows(tmp_path / "run")} == set(range(1, 13))
    train("data.max_bad_fraction=1", out="unbroken")
    assert [row["train/loss"] for row in rows(tmp_path / "run")] == [
        row["train/loss"] for row in rows(tmp_path / "unbroken")
    ]


def test_a_resumed_run_counts_what_an_unbroken_one_counts(train, some_broken, tmp_path):
    unbroken = train(out="unbroken")
    run = train("trainer.max_steps=6")
    assert told(run, 6) == told(unbroken, 6) != {}
    train("data.workers=1", resume_from=run / "checkpoints" / "last.ckpt")
    assert told(run, 12) == told(unbroken, 12)


@pytest.fixture
def after_step(monkeypatch):
    """after_step(act): act(step) runs after each step of a training."""

    def call(act):
        note = StreamPosition.on_train_batch_end

        def noted(self, trainer, module, *args):
            note(self, trainer, module, *args)
            act(trainer.global_step)

        monkeypatch.setattr(StreamPosition, "on_train_batch_end", noted)

    return call


def test_photos_that_vanish_all_at_once_stop_a_run_that_goes_on_where_it_was(train, photos_dir, after_step, tmp_path):
    unbroken, away = train(out="unbroken"), photos_dir.with_name("away")
    after_step(lambda step: step == 7 and photos_dir.rename(away))
    with pytest.raises(BrushnetError, match=r"^21 photos in a row cannot be used, .*: \d+ unreadable$"):
        train("data.decoded_mb=0")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last)["global_step"] == 7
    away.rename(photos_dir)
    after_step(lambda step: None)
    train(resume_from=last)
    assert [row["train/loss"] for row in rows(tmp_path / "run")] == [row["train/loss"] for row in rows(unbroken)]


@pytest.fixture
def server(photos_dir, tmp_path, monkeypatch):
    """The photos in three shards, from a server that can misbehave."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("BRUSHNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(keeper, "FIRST_WAIT_SECONDS", 0.1)
    size = max(path.stat().st_size for path in photos_dir.iterdir())
    pack(photos_dir, tmp_path / "shards", shard_mb=2 * size / 1e6)
    assert len(list((tmp_path / "shards").glob("*.tar"))) == 3
    with serving(tmp_path / "shards") as flaky:
        yield flaky


SHARDS = "data.path='{}/shard-{{000000..000002}}.tar'"


def test_a_server_that_drops_connections_costs_photos_until_the_shard_comes(train, server, after_step, tmp_path):
    server.moods["shard-000001.tar"] = ["cut"]
    data = SHARDS.format(server.address)

    def act(step):
        if step == 6:
            server.moods.clear()
            end = time.monotonic() + 20
            while len(list((tmp_path / "cache").glob("*.tar"))) < 3 and time.monotonic() < end:
                time.sleep(0.02)

    after_step(act)
    run = train(data, "trainer.max_steps=24", "data.max_bad_fraction=0.5")
    assert float(told(run, 6)["data/unreachable"]) >= 3
    assert told(run, 24) == {"data/came back": told(run, 6)["data/unreachable"]}
    assert [int(row["step"]) for row in rows(run) if row["train/loss"]] == list(range(1, 25))


def test_a_server_that_hangs_holds_up_no_step_nor_the_end(train, server, after_step, tmp_path, caplog):
    times = []

    def act(step):
        times.append(time.monotonic())
        if step == 1:
            server.moods["shard-000001.tar"] = ["hang"]
            shard = (tmp_path / "shards" / "shard-000001.tar").read_bytes()
            [cached] = [path for path in (tmp_path / "cache").glob("*.tar") if path.read_bytes() == shard]
            cached.unlink()

    after_step(act)
    train(SHARDS.format(server.address), "trainer.max_steps=18", "data.max_bad_fraction=1")
    assert max(after - before for before, after in itertools.pairwise(times)) < 5 < transfer.STALL_SECONDS
    assert time.monotonic() - times[-1] < 10
    assert server.asked.count("shard-000001.tar") >= 2
    assert " unreachable" in caplog.text
    assert not list((tmp_path / "cache").glob(".*"))


def test_photos_that_vanish_are_left_out_and_used_when_they_come_back(train, photos_dir, after_step, caplog):
    away = sorted(photos_dir.glob("photo0[0-3].jpg"))

    def act(step):
        for photo in away:
            if step == 1:
                photo.rename(photo.with_suffix(".away"))
            elif step == 12:
                photo.with_suffix(".away").rename(photo)

    after_step(act)
    run = train("trainer.max_steps=30", "data.max_bad_fraction=0.5", "data.decoded_mb=0")
    assert told(run, 12)["data/unreadable"] == "3.0"  # the fourth is a validation photo, in memory
    assert told(run, 30) == {"data/came back": "3.0"}
    assert "left out: No such file or directory (so far: " in caplog.text
    assert "flawed photos met in data.path: 3 came back" in caplog.text
