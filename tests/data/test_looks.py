"""looks.py: the last look at each photo counts, and when too many are bad."""

from collections import Counter

import pytest

from brushnet.data.looks import NOBODY, Looks, pack


def noted(size: int, *looks: tuple[int, str]) -> Looks:
    found = Looks(size)
    found.note(pack(looks, length=len(looks) + 2))
    return found


def test_a_photo_counts_once_with_what_the_last_look_found():
    looks = noted(9, (1, "unreadable"), (2, "broken"), (2, "broken"), (3, "fine"), (4, "enlarged"), (1, "broken"))
    assert looks.counts() == {"broken": 2, "enlarged": 1}
    assert (looks.run.looked, looks.run.bad) == (4, 2)


@pytest.mark.parametrize("gone", ["unreadable", "unreachable"])
def test_what_was_away_for_a_while_is_told_and_no_longer_bad(gone):
    looks = noted(9, (1, gone), (1, "fine"), (1, "fine"))
    assert looks.counts() == {"came back": 1}
    assert looks.run.bad == 0


def test_looks_are_filled_up_to_one_length():
    assert pack([(3, "fine")], length=3).tolist()[1:] == [NOBODY, NOBODY]


def bad_of(looked: int, bad: int, size: int = 1000) -> Looks:
    return noted(size, *[(number, "broken" if number < bad else "fine") for number in range(looked)])


def test_too_many_bad_ones_are_judged_once_a_hundred_were_looked_at_or_all():
    assert not bad_of(99, 99).too_bad(0.25)
    assert bad_of(100, 26).too_bad(0.25)
    assert not bad_of(100, 25).too_bad(0.25)
    assert not bad_of(39, 39, size=40).too_bad(0.25)
    assert bad_of(40, 11, size=40).too_bad(0.25)
    assert bad_of(100, 1).too_bad(0)
    assert not bad_of(100, 100).too_bad(1)


def test_enlarged_photos_are_not_bad():
    assert not noted(4, *[(number, "enlarged") for number in range(4)]).too_bad(0)


def resumed(before: Looks, *looks: tuple[int, str]) -> Looks:
    after = Looks(len(before.run.codes))
    after.load_state_dict(before.state_dict())
    after.note(pack(looks, length=len(looks)))
    return after


def test_a_resumed_run_is_judged_by_both_what_it_was_and_what_it_finds():
    bad = bad_of(200, 100)
    assert not resumed(bad).too_bad(0.25)
    mended = [(number, "fine") for number in range(100, 200)]
    assert not resumed(bad, *mended).too_bad(0.25)
    assert resumed(bad, *[(number, "broken") for number in range(100)]).too_bad(0.25)
    by_chance = [(number, "broken" if number < 130 else "fine") for number in range(100, 200)]
    assert not resumed(bad_of(900, 100), *by_chance).too_bad(0.25)


def test_a_state_gives_back_what_was_counted():
    looks = bad_of(30, 7)
    assert resumed(looks).counts() == looks.counts() == {"broken": 7}
    assert resumed(looks).run.looked == 30


def test_the_worst_places_come_first():
    looks = noted(40, *[(number, "unreachable" if number % 4 else "enlarged") for number in range(30)])
    place = lambda number: f"shard {number // 10}" if number < 25 else "shard 9"  # noqa: E731
    expected = Counter(place(number) for number in range(30) if number % 4).most_common(3)
    worst = looks.worst(place)
    assert [(name, len(numbers)) for name, numbers in worst] == expected
    assert worst[0][1] == [number for number in range(30) if number % 4 and place(number) == worst[0][0]]
    assert Looks(4).worst(str) == []
