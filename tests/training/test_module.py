import pytest
import torch

from brushnet.errors import BrushnetError
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining, ramped_average


def poison(monkeypatch, steps: set[int]) -> None:
    """Makes the loss of these batches infinite."""
    original = StyleTraining._descend

    def descend(self, loss, means):
        bad = self.batches_done in steps
        original(self, loss * float("inf") if bad else loss, means)

    monkeypatch.setattr(StyleTraining, "_descend", descend)


def test_a_step_that_is_not_finite_is_skipped_and_counted(train, monkeypatch, caplog):
    poison(monkeypatch, {3, 4})
    run = train()
    rows = [row for row in MetricsCsv(run / "metrics.csv").rows() if row["train/loss"]]
    assert float(rows[-1]["train/skipped_steps"]) == 2
    assert len(rows) == 12  # 14 batches, 12 steps
    assert "step skipped: loss inf, gradient norm nan (2 skipped so far, 2 in a row)" in caplog.text


def test_a_skipped_step_leaves_weights_and_optimiser_untouched(train, monkeypatch):
    original = StyleTraining._count_bad_step
    states = []

    def spy(self, loss, norm):
        states.append([p.clone() for p in self.net.parameters()])
        original(self, loss, norm)
        optimizer, _ = self._optimizer_and_schedule()
        states.append([p.clone() for p in self.net.parameters()])
        assert all(torch.isfinite(s["exp_avg"]).all() for s in optimizer.state.values())

    monkeypatch.setattr(StyleTraining, "_count_bad_step", spy)
    poison(monkeypatch, {3})
    train()
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_bad_steps_that_persist_stop_the_training_with_the_remedies(train, monkeypatch):
    poison(monkeypatch, set(range(5, 100)))
    message = r"training stopped: 4 steps in a row .* start anew with a lower trainer\.learning_rate"
    with pytest.raises(BrushnetError, match=message):
        train("trainer.max_bad_steps=4")


def test_averaged_weights_forget_the_start_and_then_follow_slowly():
    average = ramped_average(0.9)
    averaged, current = [torch.zeros(1)], [torch.ones(1)]
    values = []
    for count in range(1, 60):
        average(averaged, current, torch.tensor(count))
        values.append(averaged[0].item())
    assert values[0] > 0.8
    assert values == sorted(values)
    averaged = [torch.zeros(1)]
    average(averaged, current, torch.tensor(1000))
    assert averaged[0].item() == pytest.approx(0.1)
