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
import os, signal, sys, time
from pathlib import Path
from joblib.externals.loky import get_reusable_executor
from brushnet.sweeps import stop
with stop.marked(Path(sys.argv[1])):
    workers = get_reusable_executor(max_workers=1)
    print(workers.submit(os.getpid).result(), flush=True)
    workers.submit(time.sleep, 60)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""


def test_a_second_one_ends_all_at_once(tmp_path):
    done = subprocess.run([sys.executable, "-c", SECOND, str(tmp_path)], capture_output=True, text=True, timeout=60)
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
with stop.watched(Path(sys.argv[1])):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.raise_signal(number)
    got = []
    signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
    print("ready", flush=True)
    while len(got) < 2:
        time.sleep(0.05)
    print("asked twice", flush=True)
time.sleep(60)
"""
STARTER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]])
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["marker", "parent"])
def test_a_training_is_asked_again_and_again_until_it_hears(tmp_path, how):
    command = [sys.executable, "-c", STARTER, WATCHED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        stop.ask(tmp_path) if how == "marker" else parent.kill()
        assert parent.stdout.readline() == "asked twice\n"
        parent.kill()
        assert parent.stdout.readline() == ""  # without a parent and a job it ends, and closes its output
    assert stop.asked(tmp_path) == (how == "marker")  # an orphan leaves no marker: the next sweep is not its own


def test_what_nohup_has_ignored_stays_ignored(tmp_path):
    code = "import signal, sys; from pathlib import Path; from brushnet.sweeps import stop\n"
    code += "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "with stop.watched(Path(sys.argv[1])): print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
