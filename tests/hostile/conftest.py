"""Hostile files by the dozen, and in the slow suite by the thousand."""

import random
from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, strategies

FEW, MANY = 24, 2000

Attack = Callable[[Callable[[random.Random], None]], None]


@pytest.fixture(params=[pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)])
def attack(request: pytest.FixtureRequest) -> Attack:
    """attack(act): `act(rng)` for many generators of draws; what fails is repeated with as few draws as will do."""

    def run(act: Callable[[random.Random], None]) -> None:
        settings = hypothesis.settings(
            max_examples=request.param,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        settings(given(strategies.randoms(use_true_random=False))(lambda rng: act(rng)))()

    return run


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    """Every attack that runs makes the file `ran` in the current folder."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "ran").exists()
