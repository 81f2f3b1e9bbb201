"""scripts/distill_lossnet.py as a user runs it, on small photos and a teacher of four convolutions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from brushnet.lossnet import load_lossnet
from tests.conftest import load_script, vgg_state

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "distill_lossnet.py"


@pytest.fixture
def teacher_file(tmp_path):
    torch.save(vgg_state((6, 8, 10, 10)), tmp_path / "teacher.pth")
    return tmp_path / "teacher.pth"


@pytest.fixture
def command(teacher_file, photos_dir):
    """Arguments up to --out, small enough for seconds."""
    small = ["--widths", "4/5/6,6", "--painted", "2", "--batch-size", "4", "--crop-px", "32", "--save-every", "1"]
    return [str(teacher_file), "--photos", str(photos_dir), *small]


def distill(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def script():
    return load_script("distill_lossnet")


@pytest.fixture
def refused(script, capsys):
    """refused(*arguments) -> what is said; in this process: another takes seconds to import torch."""

    def refused(*arguments):
        assert script.main(list(arguments)) == 2
        return capsys.readouterr().err

    return refused


def finish(process, code=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out, err


def test_a_killed_distillation_goes_on_to_the_weights_of_an_unbroken_one(command, tmp_path, photos_dir):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    steps = ["--steps", "60"]
    finish(distill(*command, *steps, "--out", str(whole)))
    process = distill(*command, *steps, "--out", str(killed))
    checkpoint = tmp_path / "killed.work" / "last.pt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not killed.exists()
    _, err = finish(distill(*command, *steps, "--out", str(killed), "--check", str(photos_dir)))
    assert "going on after step" in err
    assert killed.read_bytes() == whole.read_bytes()
    report = json.loads(killed.with_suffix(".json").read_text())
    assert report["default_loss/paintings"]["pairs"] == 66
    assert load_lossnet(str(killed)).layers == ["relu1_1", "relu2_1", "relu3_1", "relu3_2"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--widths", "4,4/5"], "--widths: teacher.pth has no layer 'relu1_2'; its layers are relu1_1, relu2_1"),
        (["--widths", "x"], "--widths must be like 16,16/32,48/96,96"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--batch-size", "2"], "--batch-size must be at least 4, got 2"),
        (["--learning-rate", "2"], "--learning-rate must be above 0 and below 1, got 2.0"),
        (["--check", "nowhere"], "nowhere is no folder"),
        (["--stylized", "nowhere"], "--stylized needs --check, the paintings to compare with"),
        (["--device", "abacus"], "--device abacus"),
    ],
)
def test_a_wrong_option_is_answered_in_one_line_and_nothing_is_written(command, tmp_path, refused, changed, message):
    err = refused(*command, "--out", str(tmp_path / "out" / "mine.safetensors"), *changed)
    assert err.splitlines()[-1].startswith("distill_lossnet: error: ")
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_the_student_is_a_safetensors(command, tmp_path):
    _, err = finish(distill(*command, "--out", str(tmp_path / "mine.pth")), code=2)  # a process's own exit code
    assert f"--out must end in .safetensors, got {tmp_path}/mine.pth" in err


@pytest.mark.parametrize("teacher", ["auto", "compact", "nowhere.pth"])
def test_only_a_file_can_teach(command, tmp_path, refused, teacher):
    err = refused(teacher, *command[1:], "--out", str(tmp_path / "out" / "mine.safetensors"))
    assert f"TEACHER {teacher} does not exist; give a weight file of a VGG" in err


def test_a_place_that_cannot_be_written_is_told_in_one_line(command, tmp_path):
    (tmp_path / "file").touch()
    _, err = finish(distill(*command, "--out", str(tmp_path / "file" / "mine.safetensors")), code=1)
    assert err.splitlines()[-1].startswith("distill_lossnet: error: ")
