"""compare.py: whatever is not the same in two runs is told, down to one bit."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.resume.compare import differences


def checkpoint(weight: float, **progress: float) -> dict:
    adam = {"state": {0: {"exp_avg": torch.tensor([weight, float("nan")])}}}
    return {
        "state_dict": {"net.weight": torch.tensor([weight, -0.0])},
        "optimizer_states": [adam],
        "progress": {"batches_done": 3, "seconds_trained": 1.5, **progress},
        "brushnet": json.dumps({"training": {"seconds": 1.5, "steps": 3}}),
    }


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A small run folder, and its copy."""
    run = tmp_path / "a"
    (run / "checkpoints").mkdir(parents=True)
    (run / "samples").mkdir()
    torch.save(checkpoint(1.0), run / "checkpoints" / "last.ckpt")
    save_file({"weight": torch.ones(3)}, run / "model.safetensors", {"brushnet": '{"training": {"seconds": 2.5}}'})
    (run / "metrics.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    (run / "config.yaml").write_text("data:\n  workers: 0\n")
    (run / "samples" / "step_000001.jpg").write_bytes(b"picture")
    (run / "train.log").write_text("[12:00] trained\n")
    shutil.copytree(run, tmp_path / "b")
    return run, tmp_path / "b"


def test_equal_runs_have_no_differences(runs):
    assert differences(*runs) == []


def test_time_and_logs_may_differ(runs):
    torch.save(checkpoint(1.0, seconds_trained=2.5), runs[1] / "checkpoints" / "last.ckpt")
    (runs[1] / "train.log").write_text("[13:00] trained\n")
    (runs[1] / "train_ddp_process_1.log").write_text("[13:00] trained\n")
    assert differences(*runs) == []


def test_paths_of_the_own_folder_are_the_same(runs):
    for run in runs:
        torch.save(checkpoint(1.0) | {"path": str(run / "x"), str(run): 1}, run / "checkpoints" / "last.ckpt")
    assert differences(*runs) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (checkpoint(1 + 2**-23), r"state_dict.net.weight: .* became .*"),
        (checkpoint(1.0) | {"state_dict": {"net.weight": torch.tensor([1.0, 0.0])}}, r"state_dict.net.weight: "),
        (checkpoint(1.0) | {"optimizer_states": []}, r"optimizer_states.0.state.0.exp_avg: .* became None"),
        (checkpoint(1.0, batches_done=4), r"progress.batches_done: 3 became 4"),
        (checkpoint(1.0, batches_done=3.0), r"progress.batches_done: 3 became 3"),
        (checkpoint(1.0) | {"more": 1}, r"more: None became 1"),
        (checkpoint(1.0) | {"brushnet": '{"training": {"seconds": 1.5, "steps": 4}}'}, r"training.steps: 3 became 4"),
    ],
)
def test_a_bit_in_a_checkpoint_is_told(runs, content, told):
    torch.save(content, runs[1] / "checkpoints" / "last.ckpt")
    assert re.search(rf"checkpoints/last\.ckpt: .*{told}", "\n".join(differences(*runs)))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("metrics.csv", b"step,loss\n1,0.5\n2,0.25\n2,0.25\n", "metrics.csv: #4: None became '2,0.25'"),
        ("metrics.csv", b"step,loss\n1,0.5\n", "metrics.csv: #3: '2,0.25' became None"),
        ("metrics.csv", b"step,loss\n1,0.5\n2,0.26\n", "metrics.csv: #3: '2,0.25' became '2,0.26'"),
        ("config.yaml", b"data:\n  workers: 1\n", "config.yaml: workers#2: '  workers: 0' became '  workers: 1'"),
        ("samples/step_000001.jpg", b"Picture", "samples/step_000001.jpg: bytes: b'picture' became b'Picture'"),
        ("samples/step_000001.jpg", None, "samples/step_000001.jpg: missing"),
        ("samples/.step_000002.jpg.7.part", b"pic", "samples/.step_000002.jpg.7.part: not in the unbroken run"),
    ],
)
def test_each_file_is_compared(runs, name, content, told):
    if content is None:
        (runs[1] / name).unlink()
    else:
        (runs[1] / name).write_bytes(content)
    assert differences(*runs) == [told]


def test_the_model_is_compared_by_its_weights_and_metadata(runs):
    changed = {"weight": torch.tensor([1.0, 1.0, 1 + 2**-23])}
    save_file(changed, runs[1] / "model.safetensors", {"brushnet": '{"training": {"seconds": 9.5, "steps": 1}}'})
    found = differences(*runs)
    assert [each.split(": ")[1] for each in found] == [
        "brushnet.training.keys()",
        "brushnet.training.steps",
        "tensors.weight",
    ]


def test_what_is_allowed_besides_is_left_out(runs):
    (runs[1] / "config.yaml").write_text("data:\n  workers: 1\n")
    (runs[1] / "checkpoints" / "step_000002.ckpt").write_bytes(b"")
    allowed = {"may_differ": r"workers#\d+", "left_out": r"checkpoints/step_\d+\.ckpt"}
    assert differences(*runs, **allowed) == []
