import os
from dataclasses import replace
from pathlib import Path

import pytest

from brushnet import images
from brushnet.report.pictures import Pictures
from tests.report import made
from tests.report.conftest import write_picture


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "evaluation").mkdir()
    return tmp_path


def test_a_small_picture_is_copied_as_it_is_a_large_one_made_smaller(place: Path) -> None:
    evaluation = replace(made.evaluation(), folder=place / "evaluation")
    write_picture(place / "evaluation" / "small.jpg", 1)
    write_picture(place / "evaluation" / "large one.jpg", 2, side=700)
    pictures = Pictures(place / "report")
    assert pictures.of(evaluation, "small.jpg", group="run #1") == "pictures/run%20%231/small.jpg"
    copy = place / "report" / "pictures" / "run #1" / "small.jpg"
    assert copy.read_bytes() == (place / "evaluation" / "small.jpg").read_bytes()
    assert pictures.of(evaluation, "large one.jpg", group="r") == "pictures/r/large%20one.jpg"
    assert min(images.size(place / "report" / "pictures" / "r" / "large one.jpg")) == 640
    assert pictures.missing == 0


def test_what_is_no_picture_is_missing(place: Path) -> None:
    evaluation = replace(made.evaluation(), folder=place / "evaluation")
    (place / "evaluation" / "text.jpg").write_text("no picture")
    (place / "evaluation" / "page.svg").write_text("<svg/>")
    os.mkfifo(place / "evaluation" / "pipe.jpg")
    pictures = Pictures(place / "report")
    for name in ("text.jpg", "page.svg", "pipe.jpg", "absent.jpg"):
        assert pictures.of(evaluation, name, group="r") is None
        assert pictures.of(evaluation, name, group="r") is None
    assert pictures.of(evaluation, None, group="r") is None
    assert pictures.missing == 4
    assert not (place / "report").exists()


def test_an_earlier_reports_pictures_are_removed(place: Path) -> None:
    old = place / "report" / "pictures" / "gone" / "a.jpg"
    old.parent.mkdir(parents=True)
    old.write_text("")
    (place / "report" / "notes.txt").write_text("mine")
    Pictures(place / "report").start_over()
    assert not old.exists()
    assert (place / "report" / "notes.txt").exists()


def test_painting_and_photos_are_found_by_their_names(place: Path) -> None:
    evaluation = replace(made.evaluation(photos=("cat", "../cat")), folder=place / "evaluation")
    for name in ("painting_s0.50.jpg", "painting_s2.00.jpg", "cat.jpg"):
        write_picture(place / "evaluation" / name, 3)
    pictures = Pictures(place / "report")
    crops = pictures.painting(evaluation, group="r")
    assert crops == {0.5: "pictures/r/painting_s0.50.jpg", 2.0: "pictures/r/painting_s2.00.jpg"}
    assert pictures.photos(evaluation, group="r") == {"cat": "pictures/r/cat.jpg"}
