"""Which photos folders, patterns and files stand for, and where their paintings go."""

import errno
import os
from pathlib import Path

import pytest

from brushnet.errors import UserError
from brushnet.inference.inputs import find_photos


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("a.jpg", "b.PNG", "notes.txt", "deep/c.jpg", "deep/er/d.jpg", "deep/er/e.png", ".hidden/f.jpg",
                 "deep/.g.jpg", "other/a.jpg"):  # fmt: skip
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(*inputs: str, out: str = "out") -> list[str]:
    return [place.as_posix() for _, place in find_photos([Path(each) for each in inputs], Path(out)).photos]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", ["a.jpg"]),
        ("photos/*.*", ["a.jpg", "b.PNG"]),
        ("photos/**/*.jpg", ["a.jpg", "deep/c.jpg", "deep/er/d.jpg", "other/a.jpg"]),
        ("photos/*/*.jpg", ["deep/c.jpg", "other/a.jpg"]),
        ("photos/deep/**/?.[jp]*", ["c.jpg", "er/d.jpg", "er/e.png"]),
        ("photos/de*", ["deep/c.jpg", "deep/er/d.jpg", "deep/er/e.png"]),
        ("photos/**", ["a.jpg", "b.PNG", "deep/c.jpg", "deep/er/d.jpg", "deep/er/e.png", "other/a.jpg"]),
        ("photos/deep/.g*", [".g.jpg"]),
        ("*/deep/*.jpg", ["photos/deep/c.jpg"]),
        ("**/er/*.png", ["photos/deep/er/e.png"]),
    ],
)
def test_patterns_keep_the_structure_below_their_last_plain_folder(tree, pattern, expected):
    assert places(pattern) == expected
    assert places(str(tree / pattern)) == expected


@pytest.mark.parametrize("pattern", ["photos/*.tif", "nowhere/*.jpg", "photos/*.txt", "photos/[!a-z]*"])
def test_a_pattern_without_a_picture_is_one_line(tree, pattern):
    with pytest.raises(UserError, match=r"no picture matches \(looked for \.jpg, .*\)$") as error:
        places(pattern)
    assert str(error.value).startswith(f"{pattern}: ")
    assert "\n" not in str(error.value)


def test_a_file_of_a_pattern_s_name_is_that_file(tree):
    (tree / "photos" / "c[1].jpg").touch()
    assert places("photos/c[1].jpg") == ["c[1].jpg"]


def test_what_is_given_twice_comes_once_whichever_way(tree):
    assert places("photos/a.jpg", "photos", "photos/*.jpg", "./photos/../photos") == [
        "a.jpg", "b.PNG", "deep/c.jpg", "deep/er/d.jpg", "deep/er/e.png", "other/a.jpg",
    ]  # fmt: skip


def test_links_in_a_circle_end(tree):
    (tree / "photos" / "deep" / "round").symlink_to(tree / "photos")
    assert places("photos/**/*.jpg") == ["a.jpg", "deep/c.jpg", "deep/er/d.jpg", "other/a.jpg"]
    assert len(places("photos")) == 6


def test_what_lies_in_the_output_folder_is_no_input_of_a_pattern(tree):
    (tree / "photos" / "out").mkdir()
    (tree / "photos" / "out" / "a.jpg").touch()
    assert places("photos/**/a.jpg", out="photos/out") == ["a.jpg", "other/a.jpg"]


@pytest.mark.parametrize("given", ["photos", "photos/**/*.jpg", "photos/*"])
def test_folders_that_cannot_be_read_are_told_once_and_cost_no_other(tree, monkeypatch, given):
    scandir = os.scandir

    def refusing(folder="."):
        if str(folder).endswith("er") and "other" not in str(folder):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    found = find_photos([Path(given)], Path("out"))
    assert "deep/c.jpg" in [place.as_posix() for _, place in found.photos]
    assert found.unreadable == [(Path("photos/deep/er"), "folder cannot be read: Permission denied")]
