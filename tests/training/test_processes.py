import subprocess
import sys
from types import SimpleNamespace

import pytest

from brushnet.errors import BrushnetError
from brushnet.training import processes


def trainer_with(rank):
    return SimpleNamespace(world_size=2, strategy=SimpleNamespace(launcher=SimpleNamespace(procs=[rank])))


def python(code):
    return subprocess.Popen([sys.executable, "-c", code])


def test_a_rank_that_does_not_end_is_killed_and_said(monkeypatch, caplog):
    monkeypatch.setattr(processes, "END_SECONDS", 0.3)
    rank = python("import time; time.sleep(60)")
    with processes.Processes(trainer_with(rank)).ended():
        pass
    assert rank.wait(10) < 0
    assert f"process {rank.pid} of the training did not end by itself and was killed" in caplog.text


def test_a_rank_that_failed_after_the_training_fails_it():
    with (
        pytest.raises(BrushnetError, match="another process of the training failed with exit code 7"),
        processes.Processes(trainer_with(python("raise SystemExit(7)"))).ended(),
    ):
        pass


def test_a_rank_that_failed_does_not_hide_why_this_one_did():
    with pytest.raises(ZeroDivisionError), processes.Processes(trainer_with(python("raise SystemExit(7)"))).ended():
        raise ZeroDivisionError


@pytest.mark.parametrize("code", [0, 3])
def test_a_rank_that_is_done_or_was_stopped_has_not_failed(code):
    with processes.Processes(trainer_with(python(f"raise SystemExit({code})"))).ended():
        pass
