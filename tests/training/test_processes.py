import subprocess
import sys
from types import SimpleNamespace

from brushnet.training import processes


def test_a_rank_that_does_not_end_is_killed_and_said(monkeypatch, caplog):
    monkeypatch.setattr(processes, "END_SECONDS", 0.3)
    rank = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    launcher = SimpleNamespace(procs=[rank])
    trainer = SimpleNamespace(world_size=2, strategy=SimpleNamespace(launcher=launcher))
    with processes.Processes(trainer).ended():
        pass
    assert rank.wait(10) < 0
    assert f"process {rank.pid} of the training did not end by itself and was killed" in caplog.text
