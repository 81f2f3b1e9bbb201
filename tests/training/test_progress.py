import os
import pty
import sys
from contextlib import suppress

import pytest

import brushnet
from brushnet.training import progress


@pytest.mark.parametrize("gone_at", [5, None])
def test_the_bar_is_shown_on_a_terminal_and_the_training_outlives_that(train, monkeypatch, gone_at):
    master, slave = pty.openpty()
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    original = progress.ProgressReport.on_train_batch_end
    shown = []

    def watched(self, trainer, *args):
        original(self, trainer, *args)
        if gone_at is None or trainer.global_step < gone_at:
            shown.append(os.read(master, 1 << 16))
        elif trainer.global_step == gone_at:
            os.close(master)

    monkeypatch.setattr(progress.ProgressReport, "on_train_batch_end", watched)
    monkeypatch.setenv("COLUMNS", "200")
    terminal = os.fdopen(slave, "w")
    monkeypatch.setattr(sys, "stderr", terminal)
    run_dir = train()
    monkeypatch.undo()
    with suppress(OSError):  # what it could not write
        terminal.close()
    assert brushnet.load(run_dir).meta.training["steps"] == 12
    assert f"step {3 if gone_at else 11}/12" in b"".join(shown).decode()
