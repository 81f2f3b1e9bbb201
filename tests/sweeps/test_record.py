"""sweep.json: what is written is read back, and what a stranger wrote is looked at."""

import json

import pytest

from brushnet.errors import UserError
from brushnet.sweeps import record
from brushnet.sweeps.record import Sweep, SweepJob

JOB = SweepJob("half-seed0", ("stroke=half", "seed=0"), {"stroke": "half", "seed": "0"}, "d1")
SWEEP = Sweep("brushnet train -m", "2026-11-26T18:00:00+00:00", 0, "local", {"stroke": ["half"], "seed": ["0"]}, (JOB,))


def test_a_record_is_read_as_it_was_written(tmp_path):
    record.write(SWEEP, tmp_path)
    assert record.holds_sweep(tmp_path)
    assert record.read(tmp_path) == SWEEP


def test_jobs_that_are_added_add_their_values():
    more = SweepJob("fixed-seed0", ("stroke=fixed", "seed=0"), {"stroke": "fixed", "seed": "0"}, "d2")
    grown = SWEEP.with_jobs([more])
    assert grown.axes == {"stroke": ["half", "fixed"], "seed": ["0"]}
    assert grown.jobs == (JOB, more)
    assert SWEEP.axes["stroke"] == ["half"]


def test_a_folder_without_a_record_is_no_sweep(tmp_path):
    assert not record.holds_sweep(tmp_path)
    with pytest.raises(UserError, match=r"is no sweep: it has no sweep\.json"):
        record.read(tmp_path)


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".hidden", "-a", "x" * 200, 7])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    record.write(SWEEP, tmp_path)
    content = json.loads((tmp_path / "sweep.json").read_text())
    content["jobs"][0]["name"] = name
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"sweep\.json is damaged: ValueError: .* start another sweep"):
        record.read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("jobs"),
        lambda content: content.update(jobs=[1]),
        lambda content: content.update(axes=[]),
        lambda content: content.update(seed="x"),
        lambda content: content.update(seed=float("inf")),
        lambda content: content.update(jobs=content["jobs"] * 2),
        lambda content: content["jobs"][0].update(overrides=[1]),
    ],
)
def test_damage_is_said_in_one_line(tmp_path, change):
    record.write(SWEEP, tmp_path)
    content = json.loads((tmp_path / "sweep.json").read_text())
    change(content)
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"sweep\.json is damaged: ") as raised:
        record.read(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\xff", '{"format": null}'])
def test_what_is_no_record_is_said_to_be_damaged(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"sweep\.json is damaged|written in format None"):
        record.read(tmp_path)


def test_a_newer_record_and_a_huge_one_are_refused(tmp_path, monkeypatch):
    (tmp_path / "sweep.json").write_text('{"format": 2}')
    with pytest.raises(UserError, match=r"written in format 2, this brushnet .* reads 1"):
        record.read(tmp_path)
    monkeypatch.setattr(record, "MOST_BYTES", 5)
    with pytest.raises(UserError, match="a sweep's record has at most 5 bytes"):
        record.read(tmp_path)
