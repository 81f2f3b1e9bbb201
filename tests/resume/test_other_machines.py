"""Resumed with other numbers of loader workers (the same bits) and of ranks (each sample once)."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.resume.compare import assert_equal_runs
from tests.resume.runs import VARIANTS, Trial, Variant

# config.yaml and the checkpoints hold the last number; they and the model tell the commands.
OTHER_WORKERS = (
    r"(workers|command)#\d+|brushnet\.training\.command|callbacks\.RunIdentity\.identity\.config\.data\.workers"
)
STEP = "brushnet.training.module:StyleTraining.training_step"


@pytest.mark.slow
@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[4]], ids=lambda variant: variant.name)
def test_another_number_of_workers_changes_nothing(forks, data, unbroken, tmp_path, variant):
    whole, broken = unbroken(variant), Trial(forks, variant, data, tmp_path)
    for workers, number in ((None, 6), (3, 4), (1, 3)):
        overrides = [] if workers is None else [f"data.workers={workers}"]
        assert broken.go_on(*overrides, kill={"call": STEP, "number": number}).killed
    broken.finish()
    assert_equal_runs(whole.run_folder, broken.run_folder, may_differ=OTHER_WORKERS)


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [4, 5])
def test_each_sample_is_used_once_on_one_rank_then_two_then_one(forks, data, tmp_path, stop_at):
    """Killed right after a checkpoint, and one step later; each photo of an epoch is seen once."""
    variant = Variant("ranks", ("trainer.checkpoint_every_steps=1",), steps=12)
    broken = Trial(forks, variant, data, tmp_path / "broken")
    sessions = []
    for number, (ranks, step) in enumerate([(1, stop_at), (2, 3), (1, None)]):
        tap = tmp_path / f"indices{number}"
        kill = {"kill": {"call": STEP, "number": step}} if step is not None else {}
        overrides = [f"trainer.devices={ranks}"]
        attempt = broken.go_on(*overrides, ranks=ranks, environment={"BRUSHNET_TEST_INDICES": str(tap)}, **kill)
        assert attempt.killed if kill else attempt.code == 0
        sessions.append(tap)
    used = sorted(kept_indices(sessions))
    assert used == list(range(len(used)))


def kept_indices(sessions: Iterable[Path]) -> list[int]:
    """Indices of the steps that the finished weights have gone through: what a later session did again is left out."""
    kept: list[tuple[int, list[int]]] = []
    for path in sessions:
        steps = [(step, indices) for _, step, indices in map(json.loads, path.read_text().splitlines())]
        begun = min(step for step, _ in steps)
        kept = [(step, indices) for step, indices in kept if step < begun] + steps
    return [index for _, indices in kept for index in indices]
