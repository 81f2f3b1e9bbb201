"""budget.py: of what steps a time limit is turned into a number of steps."""

from types import SimpleNamespace

import pytest
import torch

from brushnet.training import budget


@pytest.fixture
def decided(monkeypatch):
    """Durations that a decision is made from, with 2 steps of warm-up and 3 measured."""
    found = []
    monkeypatch.setattr(budget.TimeBudget, "WARM_UP", 2)
    monkeypatch.setattr(budget.TimeBudget, "MEASURED", 3)
    monkeypatch.setattr(budget.TimeBudget, "_decide", lambda self, *args: found.append(list(self.durations)))
    return found


def watch(monkeypatch, *, prepared, seconds, begun=0):
    """One step of so many `seconds` each, after which so many kinds of steps are `prepared`."""
    limit = budget.TimeBudget(60, max_steps=1000, validate_every_steps=100, validation_batches=1)
    limit.last = 0.0
    now = 0.0
    for step, (kinds, spent) in enumerate(zip(prepared, seconds, strict=True), start=begun):
        now += spent
        monkeypatch.setattr(budget.time, "perf_counter", lambda now=now: now)
        limit._measure(None, SimpleNamespace(device=torch.device("cpu"), prepared=kinds, batches_done=step))


@pytest.mark.parametrize("begun", [0, 5000])  # a run that is resumed
def test_steps_that_were_recorded_do_not_count(monkeypatch, decided, begun):
    watch(monkeypatch, prepared=[1, 2, 2, 2, 3, 3, 3, 3], seconds=[9, 9, 1, 1, 9, 1, 1, 1], begun=begun)
    assert decided == [[1] * 5]


def test_where_each_is_recorded_they_count_in_the_end(monkeypatch, decided):
    monkeypatch.setattr(budget.TimeBudget, "MOST_WATCHED", 3)
    watch(monkeypatch, prepared=range(1, 9), seconds=[9] * 8)
    assert decided == [[9] * 5]
