import pytest
import torch

from brushnet import images
from brushnet.distill.held_out import as_lines, faithfulness, held_out_pairs
from brushnet.errors import UserError
from tests.conftest import strokes_picture


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    for name, picture in {"a": strokes_picture(), "b": strokes_picture().flip(0), "c": 255 - strokes_picture()}.items():
        images.write(images.to_float(picture)[None], folder / f"{name}.png")
    return folder


def test_every_two_paintings_meet_and_none_is_enlarged(paintings):
    pictures, groups = held_out_pairs(paintings, None)
    assert groups["paintings"] == [("a", "b"), ("a", "c"), ("b", "c")]
    # 96 px files: the only scale of a 256 px reference that does not enlarge them is 0.35
    assert groups["rescaled"] == [("a@0.35", "a"), ("b@0.35", "b"), ("c@0.35", "c")]
    assert pictures["a@0.35"].shape[-2:] == (90, 120)


def test_a_network_agrees_with_itself_in_every_group(paintings, tiny_lossnet, photos_dir):
    report = faithfulness(tiny_lossnet, tiny_lossnet, paintings=paintings, stylized=photos_dir)
    assert {group.split("/")[1] for group in report} == {"paintings", "rescaled", "stylized"}
    assert all(row["spearman"] == pytest.approx(1) for row in report.values())
    assert report["default_loss/stylized"]["pairs"] == 36
    assert "raw_gram/paintings" in as_lines(report)


def test_one_painting_is_too_few(tmp_path):
    images.write(torch.rand(1, 3, 32, 32), tmp_path / "one.png")
    with pytest.raises(UserError, match=r"--check .*: at least two pictures are needed"):
        held_out_pairs(tmp_path, None)
