"""Remote shards that fail: told, left out, asked for again beside the training, and used when they come."""

import logging
import os
import time

import pytest

from brushnet.data import keeper, opening, remote, transfer
from brushnet.data.module import PhotoData
from brushnet.data.reading import UnreachableError
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError
from tests.flaky_server import serving

SECOND = "shard-000001.tar"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(remote, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(remote, "TRIES", 3)
    monkeypatch.setattr(transfer, "STALL_SECONDS", 0.6)
    monkeypatch.setattr(keeper, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(keeper, "FIRST_WAIT_SECONDS", 0.1)


@pytest.fixture
def server(shard_folder):
    with serving(shard_folder(15)) as flaky:
        yield flaky


@pytest.fixture
def opened(server, tmp_path):
    """opened(cache="cache") -> the source of the server's three shards of five photos."""

    def open_shards(cache="cache"):
        return open_source(f"{server.address}/shard-{{000000..000002}}.tar", cache_dir=str(tmp_path / cache))

    return open_shards


@pytest.fixture
def kept():
    """kept(source, came=[]) -> its keeper at work; the places that came are appended."""
    keepers = []

    def keep(source, came=None):
        keepers.append(keeper.Keeper(source.remote, came=[].append if came is None else came.append))
        keepers[-1].start()
        return keepers[-1]

    yield keep
    for each in keepers:
        each.stop()


def until(holds, seconds=10.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def readable(source) -> list[int]:
    def can_read(number):
        try:
            return bool(source.read(number))
        except OSError:
            return False

    return [number for number in range(len(source)) if can_read(number)]


@pytest.mark.parametrize("mood", [500, 503, 429, "cut", "hang", "drip"])
def test_what_fails_for_a_while_is_tried_again_at_the_start(server, opened, mood, caplog):
    server.moods[SECOND] = [mood, mood, "whole"]
    assert len(readable(opened())) == 15
    assert server.asked.count(SECOND) == 3
    assert "left out" not in caplog.text


@pytest.mark.parametrize(
    ("mood", "cause"),
    [
        (503, "after 3 tries: exit status 22 of curl, the server answers 503"),
        ("cut", "after 3 tries: exit status 18 of curl"),
        ("hang", "after 3 tries: only 0 bytes came in 0.6 s"),
        (404, ": the server answers with an error (404; does it exist?)"),
    ],
)
def test_a_listed_shard_that_does_not_come_is_told_and_keeps_its_numbers(server, opened, mood, cause, caplog):
    whole = opened("another cache")
    server.moods[SECOND] = [mood]
    source = opened()
    assert f"{SECOND} {cause}".replace(" :", ":") in caplog.text
    assert "; its 5 photos are left out until it comes" in caplog.text
    assert list(source.identities()) == list(whole.identities())
    assert readable(source) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    with pytest.raises(UnreachableError, match=rf"{SECOND} has not come yet$"):
        source.read(5)


def test_where_no_shard_comes_the_first_failure_is_the_error(server, opened):
    server.moods |= {f"shard-00000{n}.tar": [500] for n in range(3)}
    with pytest.raises(BrushnetError, match=r"^cannot fetch http://\S+/shard-000000\.tar after 3 tries: exit .* 500$"):
        opened()


def test_the_start_waits_only_so_long_for_shards_that_do_not_come(server, opened, monkeypatch, caplog):
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.01)
    server.moods[SECOND] = ["hang"]
    assert readable(opened()) == list(range(5))
    assert "the start waits no longer for shards: 2 of 3 have not come" in caplog.text


def test_a_shard_that_could_not_be_fetched_is_asked_for_again_later_and_later(server, opened, kept, caplog):
    caplog.set_level(logging.INFO)
    server.moods[SECOND] = [404, 503, "cut", "hang", "whole"]
    source, came = opened(), []
    kept(source, came)
    until(lambda: came)
    assert [place.name for place in came] == [f"{server.address}/{SECOND}"]
    assert len(readable(source)) == 15
    waits = [float(text.split()[-2]) for text in caplog.messages if "; asked for again in " in text]
    assert len(waits) == 3
    assert f"{SECOND} has come: its 5 photos are used again" in caplog.text
    assert server.asked.count(SECOND) == 5


def test_waits_grow_to_a_bound(opened, server, monkeypatch, caplog):
    source = opened()
    idle = keeper.Keeper(source.remote, came=pytest.fail)
    server.moods["shard-000000.tar"] = [404]
    place, listed = source.remote[0]
    place.path.unlink()
    monkeypatch.setattr(keeper, "FIRST_WAIT_SECONDS", 10.0)
    for _ in range(8):
        idle._fetch(place, listed)
    waits = [text.split()[-2] for text in caplog.messages if "; asked for again in " in text]
    assert waits == ["10", "20", "40", "80", "160", "320", "600", "600"]


@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_cached_shard_that_is_lost_or_damaged_is_fetched_again_in_training_and_at_the_start(
    server, opened, kept, damage, caplog
):
    caplog.set_level(logging.INFO)
    source, came = opened(), []
    whole = [source.read(number) for number in range(15)]
    cached = source.places[1].path

    def do_damage():
        data = bytearray(cached.read_bytes())
        data[700] ^= 255
        cached.unlink()
        if damage != "gone":
            cached.write_bytes(data if damage == "changed" else data[:700])

    do_damage()
    at_work = kept(source, came)
    until(lambda: came)
    at_work.stop()
    assert [source.read(number) for number in range(15)] == whole
    assert ("again: the copy in the cache is damaged" in caplog.text) == (damage != "gone")
    do_damage()
    source = opened()
    assert [source.read(number) for number in range(15)] == whole
    assert server.asked.count(SECOND) == 3


def test_a_cached_shard_is_read_for_its_digest_once(opened, monkeypatch):
    place, listed = opened().remote[0]
    os.utime(place.path)
    assert remote.is_whole(place.path, listed)
    monkeypatch.setattr("brushnet.data.index.digest", lambda path: pytest.fail("read again"))
    assert remote.is_whole(place.path, listed)


def test_a_server_that_sends_too_much_is_not_listened_to(server, opened, shard_folder, tmp_path, caplog):
    listed = opened("another cache").remote[0][1]
    with (tmp_path / "shards" / listed.file).open("ab") as file:
        file.truncate(listed.bytes + 1)
    source = opened()
    assert f"more than the {listed.bytes} bytes that are expected; its 5 photos are left out" in caplog.text
    assert readable(source) == list(range(5, 15))


def test_an_end_of_the_run_ends_a_transfer_and_leaves_nothing_of_it(server, opened, kept, monkeypatch, tmp_path):
    source = opened()
    monkeypatch.setattr(transfer, "STALL_SECONDS", 60)
    server.moods[SECOND] = ["hang"]
    source.places[1].path.unlink()
    at_work, before = kept(source), server.asked.count(SECOND)
    until(lambda: server.asked.count(SECOND) > before)
    started = time.monotonic()
    at_work.stop()
    assert time.monotonic() - started < 5
    assert not list((tmp_path / "cache").glob(".*"))


def test_what_was_broken_in_a_damaged_shard_is_used_when_it_has_come_again(server, opened, tmp_path):
    opened()
    data = PhotoData(
        path=f"{server.address}/shard-{{000000..000002}}.tar",
        crop_px=16,
        batch_size=5,
        seed=0,
        workers=0,
        cache_dir=str(tmp_path / "cache"),
    )
    data.setup()
    for place, listed in data.photos.source.remote:
        place.path.write_bytes(bytes(listed.bytes))
    found = [data.photos._look(number, []) for number in range(len(data.photos.source))]
    assert found == [None] * len(data.photos.source)
    assert data.photos.counts() == {"broken": len(data.photos.source)}
    data.keeper.start()
    until(lambda: not data.photos.counts())
    data.keeper.stop()
    assert all(data.photos._look(number, []) is not None for number in range(len(data.photos.source)))
