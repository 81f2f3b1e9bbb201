"""When a training has reached what another has, and what time it took."""

import pytest

from brushnet.bench.curve import Looks, Point, Stopwatch, compare


def point(seconds, style, content):
    return Point(seconds, 2 * seconds, images=int(seconds), style=style, content=content)


THEIRS = [point(0, 9, 9), point(100, 4, 3)]


def test_both_losses_and_their_sum_are_reached_at_times_of_their_own():
    ours = [point(1, 9, 1), point(2, 5, 1), point(5, 4.5, 3), point(10, 4, 3), point(11, 1, 1)]
    found = compare(THEIRS, ours, weights=(2.0, 1.0))
    assert (found["total_reached"]["seconds"], found["total_reached"]["ratio"]) == (2, 50)
    assert (found["both_reached"]["seconds"], found["both_reached"]["ratio"]) == (10, 10)
    assert found["both_reached"]["cpu_ratio"] == 10
    assert [each["seconds"] for each in found["ours"]] == [1, 2, 5, 10, 11]


def test_what_was_not_reached_is_none():
    found = compare(THEIRS, [point(1, 1, 9), point(50, 3, 3.1)], weights=(1.0, 1.0))
    assert found["both_reached"] is None
    assert found["total_reached"]["seconds"] == 50
    assert compare(THEIRS, [point(1, 9, 9)], weights=(1.0, 1.0))["total_reached"] is None


def test_pauses_do_not_count_and_what_was_before_does(clock):
    watch = Stopwatch(clock, already=2.0)
    clock.pass_by(1.0)
    with watch.paused() as (seconds, _):
        assert seconds == 3.0
        clock.pass_by(10.0)
    clock.pass_by(0.5)
    assert watch.seconds == 3.5


def test_looks_grow_apart():
    looks = Looks(first=1.0, growth=1.5)
    assert [tenths / 10 for tenths in range(50) if looks.due(tenths / 10)] == pytest.approx([1.0, 1.5, 2.3, 3.5])
