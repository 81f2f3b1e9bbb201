"""One GPU for each process, told apart by locks."""

import os
import subprocess
import sys

import pytest

from brushnet.sweeps import gpu


@pytest.fixture(autouse=True)
def nothing_taken(monkeypatch):
    taken = []
    monkeypatch.setattr(gpu, "_taken", taken)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    yield
    for file in taken:
        file.close()


def test_gpus_are_called_as_cuda_calls_them(monkeypatch):
    assert gpu.visible(2) == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,9")
    assert gpu.visible(2) == ("5", "7")


def test_processes_take_different_ones_and_keep_theirs(tmp_path):
    gpu.take_one(("5", "7"), tmp_path)
    gpu.take_one(("5", "7"), tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    code = "import os, sys; from pathlib import Path; from brushnet.sweeps import gpu\n"
    code += "gpu.take_one(('5', '7'), Path(sys.argv[1])); print(os.environ['CUDA_VISIBLE_DEVICES'])"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "7\n"


def test_without_gpus_nothing_is_taken(tmp_path):
    gpu.take_one((), tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert list(tmp_path.iterdir()) == []


def test_where_all_are_taken_the_job_says_so(tmp_path):
    gpu.take_one(("0",), tmp_path)
    code = "import sys; from pathlib import Path; from brushnet import errors; from brushnet.sweeps import gpu\n"
    code += "try:\n    gpu.take_one(('0',), Path(sys.argv[1]))\nexcept errors.BrushnetError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "all 1 GPUs are taken by other jobs of the sweep\n"
