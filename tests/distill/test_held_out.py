import pytest
import torch

from brushnet import images
from brushnet.distill.held_out import as_lines, faithfulness, load_held_out
from brushnet.errors import UserError
from tests.conftest import strokes_picture


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    for name, picture in {"a": strokes_picture(), "b": strokes_picture().flip(0), "c": 255 - strokes_picture()}.items():
        images.write(images.to_float(picture)[None], folder / f"{name}.png")
    return folder


def test_every_two_paintings_meet_and_rescaling_enlarges_none(paintings):
    pictures, groups = load_held_out(paintings, None)
    assert groups["paintings"] == [("a.png", "b.png"), ("a.png", "c.png"), ("b.png", "c.png")]
    # 96 px files: the only scale of a 256 px reference that does not enlarge them is 0.35
    assert groups["rescaled"] == [(f"{name}.png@0.35", f"{name}.png") for name in "abc"]
    assert pictures["a.png@0.35"].shape[-2:] == (90, 120)


def test_a_group_too_small_for_a_correlation_is_left_out(paintings):
    images.write(torch.rand(1, 3, 60, 60), paintings / "a.png")
    assert list(load_held_out(paintings, None).groups) == ["paintings"]


def test_pictures_of_one_stem_are_told_apart(paintings):
    images.write(torch.rand(1, 3, 100, 100), paintings / "a.jpg")
    assert len(load_held_out(paintings, None).groups["paintings"]) == 6


def test_a_network_agrees_with_itself_in_every_group(paintings, tiny_lossnet, photos_dir):
    report = faithfulness(tiny_lossnet, tiny_lossnet, load_held_out(paintings, photos_dir))
    assert {group.split("/")[1] for group in report} == {"paintings", "rescaled", "stylized"}
    assert all(row["spearman"] == pytest.approx(1) for row in report.values())
    assert report["default_loss/stylized"]["pairs"] == 36
    assert "raw_gram/paintings" in as_lines(report)


def test_two_paintings_are_too_few(paintings):
    (paintings / "c.png").unlink()
    with pytest.raises(UserError, match=r"--check .*: at least 3 pictures are needed, got 2"):
        load_held_out(paintings, None)


def test_a_broken_painting_is_named(paintings):
    (paintings / "b.png").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"b\.png cannot be read: not a picture"):
        load_held_out(paintings, None)
