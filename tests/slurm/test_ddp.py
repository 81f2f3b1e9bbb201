"""One training on two processes, started by Lightning, by torchrun and by Slurm."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.slurm.runs import PATIENCE_SECONDS, SMALL

pytestmark = pytest.mark.slow

BRUSHNET = [sys.executable, "-m", "brushnet"]
LAUNCHERS = {
    "plain": BRUSHNET,
    "torchrun": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "brushnet"],
    "srun": ["srun", "--nodes=1", "--ntasks-per-node=2", *BRUSHNET],
}


def train(launcher: list[str], folder: Path, *, devices: int = 2, raises: str | None = None) -> tuple[int, str]:
    """Exit code and all that was said of a training in FOLDER/run."""
    environment = dict(os.environ)
    if raises is not None:
        environment |= {"PYTHONPATH": str(Path(__file__).parent / "site"), "BRUSHNET_TEST_RAISE": raises}
    command = [*launcher, "train", f"trainer.devices={devices}", *SMALL, "hydra.run.dir=run"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def plain(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of the training that Lightning has started."""
    folder = tmp_path_factory.mktemp("plain")
    code, said = train(LAUNCHERS["plain"], folder)
    assert code == 0, said
    return load_file(folder / "run" / "model.safetensors")


@pytest.mark.parametrize("launcher", ["torchrun", "srun"])
def test_every_launcher_trains_the_same_model(plain, tmp_path, launcher):
    code, said = train(LAUNCHERS[launcher], tmp_path)
    assert code == 0, said
    weights = load_file(tmp_path / "run" / "model.safetensors")
    assert weights.keys() == plain.keys()
    assert all(torch.equal(weights[name], plain[name]) for name in plain)


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize(
    "raises",
    ["brushnet.training.module:StyleTraining.training_step", "brushnet.training.run:_finish"],
    ids=["step", "end"],
)
def test_a_rank_that_raises_ends_in_a_code_that_is_not_0(slurm, tmp_path, launcher, raises):
    code, said = train(LAUNCHERS[launcher], tmp_path, raises=raises)
    assert code != 0, said
    assert "ZeroDivisionError: rank 1 was told to" in said


@pytest.mark.parametrize(
    ("launcher", "devices"),
    [
        (["srun", "--nodes=1", "--ntasks=2", *BRUSHNET], 2),
        (["srun", "--nodes=1", "--ntasks=1", *BRUSHNET], 2),
        (LAUNCHERS["torchrun"], 1),
    ],
    ids=["ntasks", "fewer-tasks", "torchrun"],
)
def test_tasks_that_are_not_the_devices_are_refused(slurm, tmp_path, launcher, devices):
    code, said = train(launcher, tmp_path, devices=devices)
    assert code == (1 if "torch.distributed.run" in launcher else 2), said  # torchrun has a code of its own
    assert "brushnet: error: " in said
    assert "internal error" not in said
    assert not (tmp_path / "run").exists()
