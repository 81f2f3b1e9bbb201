"""job.json: what became of a job."""

import json

import pytest

from brushnet.sweeps import outcome
from brushnet.sweeps.outcome import Outcome


def test_an_outcome_is_read_as_it_was_written(tmp_path):
    ended = Outcome(outcome.FAILED, "the disk is full", attempts=2, seconds=1.5, code=1)
    outcome.write(ended, tmp_path)
    assert outcome.read(tmp_path) == ended


DAMAGED = [
    {"state": "well", "cause": "", "attempts": 1, "seconds": 1},
    {"state": "failed", "cause": 7, "attempts": 1, "seconds": 1},
    {"state": "failed", "cause": "", "attempts": float("inf"), "seconds": 1},
    {"state": "failed", "cause": "", "attempts": 1, "seconds": 10**400},
]


@pytest.mark.parametrize("text", ["", "{", "7", "[" * 100_000, " " * 200_000, *map(json.dumps, DAMAGED)])
def test_a_damaged_one_counts_as_none(tmp_path, text):
    assert outcome.read(tmp_path) is None
    (tmp_path / "job.json").write_text(text)
    assert outcome.read(tmp_path) is None


def test_finished_is_what_left_a_model(tmp_path):
    outcome.write(Outcome(outcome.FINISHED), tmp_path)
    assert not outcome.is_finished(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert outcome.is_finished(tmp_path)
    outcome.write(Outcome(outcome.RUNNING), tmp_path)
    assert not outcome.is_finished(tmp_path)
