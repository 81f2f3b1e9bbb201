"""Stopping a sweep: in the process that the user stops, and in those that train."""

import os
import signal
import subprocess
import sys
import time

import pytest

from brushnet.sweeps import stop


def test_the_marker_is_left_seen_and_taken_back(tmp_path):
    assert not stop.asked(tmp_path)
    stop.ask(tmp_path)
    assert stop.asked(tmp_path)
    stop.forget(tmp_path)
    stop.forget(tmp_path)
    assert not stop.asked(tmp_path)
    stop.ask(tmp_path / "gone")  # where nothing can be written nothing is


def test_a_signal_leaves_the_marker_and_ends_nothing(tmp_path, capfd):
    with stop.marked(tmp_path):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
    assert stop.asked(tmp_path)
    assert capfd.readouterr().err == (
        "brushnet: stopping the sweep: jobs in hand are saved first; again to stop at once\n"
    )


SECOND = """
import os, signal, sys, time, multiprocessing
from pathlib import Path
from brushnet.sweeps import stop
child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
with stop.marked(Path(sys.argv[1])):
    child.start()
    print(child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""


def test_a_second_one_ends_all_at_once(tmp_path):
    (tmp_path / "second.py").write_text(f"if __name__ == '__main__':\n{SECOND.replace(chr(10), chr(10) + '    ')}")
    command = [sys.executable, str(tmp_path / "second.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    until = time.monotonic() + 10
    while _there(int(done.stdout)):
        assert time.monotonic() < until
        time.sleep(0.05)


def _there(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


WATCHED = """
import signal, sys, time
from pathlib import Path
from brushnet.sweeps import stop
stop.watch(Path(sys.argv[1]))
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.raise_signal(number)
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
print("ready", flush=True)
while len(got) < 2:
    time.sleep(0.05)
print("asked twice", flush=True)
"""


@pytest.mark.parametrize("how", ["marker", "parent"])
def test_a_training_is_asked_again_and_again_until_it_hears(tmp_path, how):
    starter = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]])\n"
    starter += "time.sleep(60)"
    command = [sys.executable, "-c", starter, WATCHED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        stop.ask(tmp_path) if how == "marker" else parent.kill()
        assert parent.stdout.readline() == "asked twice\n"
        parent.kill()
    assert stop.asked(tmp_path)  # where the parent is gone, its other processes shall know
