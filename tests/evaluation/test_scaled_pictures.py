from pathlib import Path

import pytest
import torch

from brushnet import images
from brushnet.errors import UserError
from brushnet.evaluation.scaled_pictures import named_folder, picture_system, scaled_pictures
from brushnet.evaluation.systems import Photos


def save(*names: str, px: int = 64) -> None:
    for name in names:
        images.write(torch.rand(1, 3, px, px, generator=torch.Generator().manual_seed(0)), name)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "photo", "stroke"),
    [
        ("cat_s0.5.png", "cat", 0.5),
        ("cat_s2.jpg", "cat", 2.0),
        ("cat_s=0.71.png", "cat", 0.71),
        ("deep/cat_s0.50.png", "deep/cat", 0.5),
        ("my_s1_cat_s2.00.png", "my_s1_cat", 2.0),
        ("s=0.5/cat.png", "cat", 0.5),
        ("s0.5/cat.png", "cat", 0.5),
        ("s_0.5/cat.png", "cat", 0.5),
        ("0.71/cat.jpg", "cat", 0.71),
        ("0.71/100007.jpg", "100007", 0.71),
        ("deep/2/cat.png", "deep/cat", 2.0),
        ("2024/s=2/cat.png", "2024/cat", 2.0),  # no scale is as large as 2024
        ("1/2/cat.png", "1/cat", 2.0),  # the nearest folder
        ("1/cat_s2.png", "1/cat", 2.0),  # the name before any folder
    ],
)
def test_photo_and_scale_are_read_off_the_path(here: Path, file: str, photo: str, stroke: float) -> None:
    save(f"out/{file}")
    assert scaled_pictures(Path("out")) == [(photo, stroke, Path("out", file))]


def test_a_link_that_leads_to_itself_is_a_picture_like_any_other_broken_one() -> None:
    save("out/cat_s0.5.png")
    Path("out/dog_s0.5.png").symlink_to("dog_s0.5.png")
    assert [picture.photo for picture in scaled_pictures(Path("out"), out=Path("evaluated"))] == ["cat", "dog"]


def test_what_stylize_wrote_is_understood_with_its_contact_sheet_left_out() -> None:
    save("out/cat_s0.50.jpg", "out/cat_s2.00.jpg", "out/sheet.jpg")
    assert [picture.stroke for picture in scaled_pictures(Path("out"))] == [0.5, 2]


def test_what_an_evaluation_wrote_is_no_picture_of_the_system() -> None:
    save("sys/cat_s1.png", "sys/out/control.png", "sys/out/deep/other.png", "sys/control.png")
    with pytest.raises(UserError, match=r"sys/out/.* tells no stroke scale|sys/control\.png tells no stroke scale"):
        scaled_pictures(Path("sys"))
    with pytest.raises(UserError, match=r"sys/control\.png tells no stroke scale"):
        scaled_pictures(Path("sys"), out=Path("sys/out"))
    Path("sys/control.png").unlink()
    for out in ("sys/out", "other/../sys/out", Path("sys/out").resolve()):
        assert [picture.photo for picture in scaled_pictures(Path("sys"), out=Path(out))] == ["cat"]


@pytest.mark.parametrize("out", ["sys", "sys/.."])
def test_an_output_folder_that_holds_the_pictures_does_not_hide_them(out: str) -> None:
    save("sys/cat_s1.png", "sys/2/control.png", f"{out}/control.png")
    found = scaled_pictures(Path("sys"), out=Path(out))
    assert [(picture.photo, picture.stroke) for picture in found] == [("cat", 1), ("control", 2)]


@pytest.mark.parametrize("file", ["cat.png", "cat-0.5.png", "cat_s.png", "cat_s0.png", "cat_s65.png", "x1/cat.png"])
def test_a_picture_without_a_scale_is_refused_with_the_rules(file: str) -> None:
    save(f"out/{file}")
    with pytest.raises(
        UserError,
        match=rf"--pictures out: out/{file} tells no stroke scale from 0\.015625 to 64; name pictures by their scale: "
        r"PHOTO_s0\.5\.png, or in folders s=0\.5/PHOTO\.png or 0\.5/PHOTO\.png",
    ):
        scaled_pictures(Path("out"))


def test_one_photo_twice_at_a_scale_is_refused() -> None:
    save("out/cat_s2.png", "out/2/cat.png")
    with pytest.raises(UserError, match=r"--pictures out: out/2/cat\.png and out/cat_s2\.png are both cat at scale 2"):
        scaled_pictures(Path("out"))


def test_an_empty_folder_is_refused(here: Path) -> None:
    (here / "out").mkdir()
    with pytest.raises(UserError, match="--pictures out: no pictures in this folder; name pictures by their scale"):
        scaled_pictures(Path("out"))


def test_a_folder_is_called_as_it_is_or_as_one_says(here: Path) -> None:
    for name in ("out", "s=0.5"):
        (here / name).mkdir()
    assert named_folder("out") == ("out", Path("out"))
    assert named_folder("other=out") == ("other", Path("out"))
    assert named_folder("s=0.5") == ("s=0.5", Path("s=0.5"))
    for text in ("none", "a=none"):
        with pytest.raises(UserError, match=rf"--pictures {text}: no such folder; give DIR or NAME=DIR"):
            named_folder(text)
    with pytest.raises(UserError, match="--pictures =out: the name is empty"):
        named_folder("=out")


def test_pictures_find_their_photos_by_name_and_whole_photos_are_counted() -> None:
    save("photos/deep/cat.png", "photos/dog.png", px=80)
    save("out/cat_s1.png", "out/cat_s2.png", "out/cow_s1.png", "out/dog_s1.png")
    system = picture_system("out", Photos(Path("photos")), count=2)
    assert [(task.photo, task.strokes) for task in system.tasks] == [("cat", (1.0,)), ("cat", (2.0,)), ("cow", (1.0,))]
    cat, _, cow = (task.open() for task in system.tasks)
    assert cat.photo is not None
    assert cat.photo.shape == cat.paint(1.0).shape == (1, 3, 64, 64)
    assert cow.photo is None
    assert system.seen(100)


def test_a_folder_of_which_nothing_can_be_read_is_refused(here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "cat_s1.png").write_text("no picture")
    with pytest.raises(UserError, match="--pictures out: none of its 1 pictures can be read"):
        picture_system("out", None, count=5)
