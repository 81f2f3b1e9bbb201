"""Trainings on damaged photos: they go on, tell what they left out, and stop where too many are bad."""

import re

import pytest

from brushnet.errors import BrushnetError, UserError
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.run import read_checkpoint


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
        rf"allows: \1 broken; worst: {re.escape(str(photos_dir))} \(\1\); mend them or raise data\.max_bad_fraction, "
        r"then resume$"
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


def test_photos_that_vanish_are_left_out_and_used_when_they_come_back(train, photos_dir, monkeypatch, caplog):
    from brushnet.training.callbacks import StreamPosition

    away = sorted(photos_dir.glob("photo0[0-3].jpg"))
    note = StreamPosition.on_train_batch_end

    def move(self, trainer, module, *args):
        note(self, trainer, module, *args)
        for photo in away:
            hidden = photo.with_suffix(".away")
            if trainer.global_step == 1:
                photo.rename(hidden)
            elif trainer.global_step == 12:
                hidden.rename(photo)

    monkeypatch.setattr(StreamPosition, "on_train_batch_end", move)
    run = train("trainer.max_steps=30", "data.max_bad_fraction=0.5")
    assert told(run, 12)["data/unreadable"] == "3.0"  # the fourth is a validation photo, in memory
    assert told(run, 30) == {"data/came back": "3.0"}
    assert "left out: No such file or directory (so far: " in caplog.text
    assert "flawed photos met in data.path: 3 came back" in caplog.text
