"""The pictures below a folder."""

import errno
import os

import pytest

from brushnet import images
from brushnet.errors import UserError


def test_list_images_is_recursive_sorted_and_blind_to_hidden_and_other_files(tmp_path):
    for name in ["b.JPG", "a.png", "sub/c.webp", ".hidden.jpg", ".git/d.jpg", "notes.txt", "sub/deep/e.tif"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in images.list_images(tmp_path)]
    assert found == ["a.png", "b.JPG", "sub/c.webp", "sub/deep/e.tif"]
    with pytest.raises(UserError, match=r"folder not found: .*nowhere"):
        images.list_images(tmp_path / "nowhere")


def test_list_images_leaves_out_what_would_be_waited_for_and_keeps_links_to_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert [path.name for path in images.list_images(tmp_path)] == ["gone.jpg", "loop.jpg"]


def test_a_folder_that_cannot_be_read_is_told_and_costs_no_other(tmp_path, monkeypatch, caplog):
    for name in ("a.png", "shut/b.png", "open/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    told = []
    found = images.list_images(tmp_path, unreadable=lambda *each: told.append(each))
    assert [path.name for path in found] == ["a.png", "c.png"]
    assert told == [(tmp_path / "shut", "folder cannot be read: Permission denied")]
    images.list_images(tmp_path)
    assert "shut: left out, folder cannot be read: Permission denied" in caplog.text
    with pytest.raises(UserError, match=r"shut: folder cannot be read: Permission denied$"):
        images.list_images(tmp_path / "shut")


def test_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").touch()
    (tmp_path / "deep" / "round").symlink_to(tmp_path)
    assert [path.name for path in images.list_images(tmp_path)] == ["a.png"]
