"""reading.py: a read is bounded, and what cannot be read now is an error that passes."""

import os

import pytest

from brushnet.data import reading
from brushnet.data.sources import open_source
from brushnet.errors import TooLargeError


def test_a_huge_file_is_not_read(photo_folder):
    folder = photo_folder(2)
    with (folder / "p001.jpg").open("r+b") as file:
        file.truncate(reading.MAX_PHOTO_BYTES + 1)  # sparse: takes no room
    source = open_source(str(folder))
    with pytest.raises(TooLargeError, match=r"^268435457 bytes: more than 256 MiB are not read$"):
        source.read(source.paths.index("p001.jpg"))


def test_a_huge_member_of_a_shard_is_not_read(shard_folder, monkeypatch):
    monkeypatch.setattr(reading, "MAX_PHOTO_BYTES", 1 << 9)
    with pytest.raises(TooLargeError, match=r"^\d+ bytes: more than 0 MiB are not read$"):
        open_source(str(shard_folder(3))).read(0)


def test_a_pipe_in_place_of_a_photo_is_not_waited_for(photo_folder):
    folder = photo_folder(2)
    source = open_source(str(folder))
    (folder / "p001.jpg").unlink()
    os.mkfifo(folder / "p001.jpg")
    with pytest.raises(OSError, match=r"^not a file$"):
        source.read(source.paths.index("p001.jpg"))


def test_what_lies_behind_a_cut_cannot_be_read_and_comes_back_with_the_rest(shard_folder):
    folder = shard_folder(3)
    source, tar = open_source(str(folder)), folder / "shard-000000.tar"
    whole, last = tar.read_bytes(), source.samples[0][2]
    photo = source.read(2)
    tar.write_bytes(whole[: last.offset + 5])
    with pytest.raises(OSError, match=rf"^shard-000000\.tar is cut off at byte {last.offset + 5}$"):
        source.read(2)
    tar.write_bytes(whole)
    assert source.read(2) == photo


def test_a_photo_lies_in_its_shard_or_folder(shard_folder, photo_folder):
    photos, shards = photo_folder(2), shard_folder(7)
    source = open_source(f"{photos}::{shards}")
    assert [source.place(n) for n in (0, 1, 2, 8)] == [
        str(photos / "more"),
        str(photos),
        str(shards / "shard-000000.tar"),
        str(shards / "shard-000001.tar"),
    ]
