"""compiling.py: torch.compile is announced, timed, and done without where it fails."""

import functools
import logging
import re

import pytest
import torch

import brushnet

QUICK = ["trainer.max_steps=3", "trainer.validate_every_steps=100", "trainer.compile=true", "net.trunk=scaled"]


def test_a_network_that_is_compiled_trains_the_same_and_tells_how_long_that_took(train, monkeypatch, caplog):
    plain = train(*QUICK, "trainer.compile=false", out="plain")
    eager = functools.partial(torch.compile, backend="eager")  # traces as any other, and leaves the arithmetic alone
    monkeypatch.setattr(torch, "compile", eager)
    with caplog.at_level(logging.INFO):
        compiled = train(*QUICK)
    assert re.search(r"compiling a step.*\n.*trainer\.compile: \d+ graphs compiled in \d+ s", caplog.text)
    losses = [brushnet.load(run).meta.training["losses"]["val/loss"] for run in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_network_that_cannot_be_compiled_is_trained_all_the_same(train, monkeypatch, caplog):
    def no_compiler(*args, **kwargs):
        raise RuntimeError("No working C++ compiler found in\n['g++']")

    monkeypatch.setattr(torch, "compile", lambda part, *args, **kwargs: no_compiler)
    run = train(*QUICK)
    said = "the step cannot be compiled here, going on without: RuntimeError: No working C++ compiler found in ['g++']"
    assert f"trainer.compile: {said}\n" in caplog.text
    assert brushnet.load(run).meta.training["steps"] == 3


@pytest.mark.slow
def test_the_real_compiler_makes_few_graphs(train, caplog):
    with caplog.at_level(logging.INFO):
        train(*QUICK, "trainer.max_steps=12", "stroke.group=2", "stroke.spread=true")
    found = re.search(r"trainer\.compile: (\d+) graphs compiled", caplog.text)
    assert found
    assert int(found[1]) <= 8
