import statistics

import pytest
import torch

from brushnet.bench.clock import Clock, interleaved, median_rate


def test_runs_take_turns_and_warm_up_is_not_counted(clock):
    calls = []

    def taking(name, seconds):
        def once():
            calls.append(name)
            clock.pass_by(seconds)

        return once

    found = interleaved({"a": taking("a", 1), "b": taking("b", 2)}, seconds=0.1, clock=clock, warm_up=2, least_rounds=3)
    assert calls == ["a", "a", "b", "b", *["a", "b"] * 3]
    assert found == {"a": [1, 1, 1], "b": [2, 2, 2]}


def test_rounds_go_on_until_each_has_had_its_seconds(clock):
    found = interleaved({"a": lambda: clock.pass_by(0.25)}, seconds=2, clock=clock)
    assert len(found["a"]) == 8


def test_a_thing_is_about_as_fast_as_itself():
    square = torch.ones(64, 64)
    found = interleaved(
        {name: lambda: square @ square for name in "ab"}, seconds=0.05, clock=Clock(torch.device("cpu"))
    )
    assert statistics.median(found["a"]) / statistics.median(found["b"]) == pytest.approx(1, rel=0.75)


def test_the_rate_is_the_median_over_blocks_of_any_length():
    assert median_rate([(10, 1.0), (4, 2.0), (6, 2.0)], per_step=4) == 12
