"""split.py: what is held out depends on the key alone."""

import logging

import pytest

from brushnet.data.split import Part, first_usable, split
from brushnet.errors import BrushnetError


class Named:
    """A source of equal photos, told apart by their keys; those in `broken` do not decode."""

    lost = 0
    remote = ()

    def __init__(self, jpeg: bytes, keys: list[str], broken: set[str] = frozenset()):
        self.jpeg, self.keys, self.broken, self.groups = jpeg, keys, broken, [len(keys)]

    def __len__(self):
        return len(self.keys)

    def key(self, number):
        return self.keys[number]

    def read(self, number):
        return b"?" if self.keys[number] in self.broken else self.jpeg

    def describe(self):
        return "some photos"


def keys_of(source) -> set[str]:
    return {source.key(number) for number in range(len(source))}


NAMES = [f"photo{number}" for number in range(1500)]


def test_about_two_percent_are_held_out_and_some_of_them_used(jpeg):
    source = Named(jpeg(1), NAMES)
    train, numbers = split(source, 16)
    assert len(numbers) == 16
    assert 0.01 < 1 - len(train) / len(source) < 0.03
    assert not keys_of(train) & {source.key(n) for n in numbers}


def test_neither_order_nor_new_photos_move_a_photo_into_the_other_set(jpeg):
    small, large = Named(jpeg(1), NAMES[:1000]), Named(jpeg(1), NAMES[::-1])
    before, after = split(small, 16)[0], split(large, 16)[0]
    assert keys_of(before) == keys_of(after) & set(NAMES[:1000])


def test_the_photos_used_do_not_depend_on_the_order(jpeg):
    forward, backward = Named(jpeg(1), NAMES), Named(jpeg(1), NAMES[::-1])
    used = [[source.key(n) for n in split(source, 5)[1]] for source in (forward, backward)]
    assert used[0] == used[1]


def test_broken_photos_are_passed_over_and_told(jpeg, caplog):
    source = Named(jpeg(1), NAMES)
    first = source.key(split(source, 1)[1][0])
    with caplog.at_level(logging.WARNING):
        numbers = split(Named(jpeg(1), NAMES, broken={first}), 4)[1]
    assert len(numbers) == 4
    assert first not in {source.key(n) for n in numbers}
    assert f"photo {first} left out of the validation: not a picture" in caplog.text


def test_what_is_trained_on_does_not_depend_on_what_can_be_read_today(jpeg):
    source = Named(jpeg(1), NAMES[:60])
    train, numbers = split(source, 4)
    held_out = {source.key(number) for number in numbers}
    without, instead = split(Named(jpeg(1), NAMES[:60], broken=held_out), 4)
    assert keys_of(without) == keys_of(train)
    assert {source.key(number) for number in instead} <= keys_of(train)


def test_a_source_of_broken_photos_is_given_up_after_a_hundred(jpeg):
    with pytest.raises(
        BrushnetError, match="none of the first 100 looked at in some photos can be used; the last one: not"
    ):
        split(Named(jpeg(1), NAMES, broken=set(NAMES)), 4)
    with pytest.raises(BrushnetError, match="none of the first 7 looked at in some photos"):
        first_usable(Named(jpeg(1), NAMES[:7], broken=set(NAMES)), 4)


def test_a_validation_source_of_its_own_gives_as_many_as_wanted(jpeg):
    assert len(first_usable(Named(jpeg(1), NAMES[:9]), 4)) == 4
    assert len(first_usable(Named(jpeg(1), NAMES[:3]), 4)) == 3


def test_part_keeps_the_shards_apart(jpeg):
    source = Named(jpeg(1), list("abcdefghij"))
    source.groups = [3, 0, 2, 5]
    part = Part(source, [9, 0, 2, 6, 7])
    assert part.groups == [2, 3]
    assert [part.key(n) for n in range(len(part))] == ["a", "c", "g", "h", "j"]
    assert part.describe() == "5 of some photos"
