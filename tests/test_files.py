import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from brushnet import files


def test_a_file_is_written_whole_with_its_folders_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    files.write_whole(path, b"one")
    files.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_where_the_disk_fails_what_was_there_before_is_still_there(tmp_path, monkeypatch, call):
    path = tmp_path / "file.bin"
    files.write_whole(path, b"one")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_whole(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_program_left_is_removed_and_nothing_else(tmp_path):
    for name in (".last.ckpt.12.part", "last.ckpt", ".hidden", "x.part"):
        (tmp_path / name).write_bytes(b"x")
    files.remove_partial(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", ".hidden", "x.part"}
    files.remove_partial(tmp_path / "absent")


def test_a_link_of_the_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "of the user").write_bytes(b"kept")
    (tmp_path / f".a.txt.{os.getpid()}.part").symlink_to(tmp_path / "of the user")
    files.write_whole(tmp_path / "a.txt", b"new")
    assert (tmp_path / "of the user").read_bytes() == b"kept"
    assert (tmp_path / "a.txt").read_bytes() == b"new"


@pytest.mark.parametrize("flushed", [True, False])
def test_a_name_as_long_as_can_be_is_written(tmp_path, flushed):
    path = tmp_path / ("x" * 255)
    files.write_whole(path, b"new", flushed=flushed)
    assert list(tmp_path.iterdir()) == [path]


def test_only_what_is_to_outlive_a_power_cut_waits_for_the_disk(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    files.write_whole(tmp_path / "a.png", b"new", flushed=False)
    assert (tmp_path / "a.png").read_bytes() == b"new"


def test_threads_that_write_names_of_one_long_beginning_are_not_in_each_others_way(tmp_path):
    paths = [tmp_path / f"{'a long name ' * 6}{number}.bin" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda path: files.write_whole(path, path.name.encode() * 10_000, flushed=False), paths))
    assert all(path.read_bytes() == path.name.encode() * 10_000 for path in paths)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_what_is_half_written_is_removed_by_who_ends_the_process_at_once(tmp_path, monkeypatch):
    def end(partial, path):
        assert partial.read_bytes() == b"one"
        files.remove_in_hand()
        assert not list(tmp_path.iterdir())

    monkeypatch.setattr(os, "replace", end)
    files.write_whole(tmp_path / "file.bin", b"one", flushed=False)
    assert not files._in_hand
