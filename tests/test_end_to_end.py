"""The commands as a user types them, in processes of their own, on what ships."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import brushnet
from brushnet import cli, images
from brushnet.config.saved import command_of
from brushnet.training.metrics_csv import MetricsCsv

SMALL = [
    "lossnet=compact",
    "net.width=4",
    "net.blocks=1",
    "trainer.accelerator=cpu",
    "trainer.batch_size=2",
    "trainer.crop_px=64",
    "trainer.max_steps=4",
    "trainer.log_every_steps=1",
    "style.bank_step_octaves=1",
    "stroke.max=1.4",
]


def brushnet_command(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "brushnet", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run on the embedded defaults, without any download."""
    folder = tmp_path_factory.mktemp("user")
    done = brushnet_command("train", *SMALL, "hydra.run.dir=run", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_training_on_the_embedded_defaults_needs_nothing_from_outside(trained):
    assert {path.name for path in trained.iterdir()} >= {"model.safetensors", "samples", "metrics.csv", "train.log"}
    assert brushnet.load(trained).style_names == ("painted-small",)


def test_stylize_keeps_odd_sizes(trained, tmp_path):
    sizes = {"line": (1, 60), "small": (37, 53), "tall": (131, 64)}
    for name, size in sizes.items():
        images.write(torch.rand(1, 3, *size), tmp_path / "photos" / f"{name}.png")
    done = brushnet_command("stylize", str(trained), "photos", "-o", "out", "--stroke", "0.5", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    painted = {path.stem: images.read(path).shape for path in (tmp_path / "out").iterdir()}
    assert painted == {name: (1, 3, *size) for name, size in sizes.items()}


def test_several_strokes_give_a_picture_each_and_a_sheet(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["stylize", str(trained), "sample:cat", "-o", "out", "--strokes", "0.5,1"]) == 0
    assert {path.name for path in Path("out").iterdir()} == {"cat_s0.50.jpg", "cat_s1.00.jpg", "sheet.jpg"}


def test_training_goes_on_from_the_command_line(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained.parent)
    assert cli.main(["train", "resume=run", "trainer.max_steps=6"]) == 0  # in a process other than the one that began
    summary = brushnet.load(trained).meta.training
    assert summary["steps"] == 6
    began, goes_on = summary["command"].split(" ; ")
    assert shlex.split(began) == ["brushnet", "train", *SMALL, "hydra.run.dir=run"]
    assert goes_on == "brushnet train resume=run trainer.max_steps=6"
    assert cli.main(["train", "resume=run"]) == 0
    assert "is finished: 6 of 6 steps are trained" in capsys.readouterr().err


def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path):
    done = brushnet_command("train", *SMALL, "data.path=nowhere", "hydra.run.dir=run", folder=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "data.path=nowhere" in done.stderr
    assert not list(tmp_path.iterdir())


def test_two_processes_train_one_model(tmp_path):
    done = brushnet_command("train", *SMALL, "trainer.devices=2", "hydra.run.dir=run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [row for row in MetricsCsv(tmp_path / "run" / "metrics.csv").rows() if row["train/loss"]]
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    typed = shlex.join(["brushnet", "train", *SMALL, "trainer.devices=2", "hydra.run.dir=run"])
    assert command_of(tmp_path / "run") == typed  # Lightning tells the second process more
    assert brushnet.load(tmp_path / "run").meta.training["steps"] == 4


@pytest.mark.slow
def test_a_compiled_network_trains_and_saves_under_the_same_names(tmp_path, trained):
    done = brushnet_command("train", *SMALL, "trainer.compile=true", "hydra.run.dir=run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    compiled, plain = (brushnet.load(folder).net.state_dict() for folder in (tmp_path / "run", trained))
    assert compiled.keys() == plain.keys()
