import pytest
import torch

from brushnet.baselines.comparison import Entry, Judge, compare, figures, lines, sheet
from brushnet.strokes import Painting
from tests.baselines.test_features import SPEC
from tests.conftest import strokes_picture


@pytest.fixture
def judge(photo, tiny_lossnet) -> Judge:
    painting = Painting(strokes_picture(), name="diagonal", reference_px=64)
    return Judge(photo, painting, stroke=1.0, lossnet=tiny_lossnet, spec=SPEC)


def entry(name: str, style: float, seconds: float | None = None) -> Entry:
    return Entry(name, torch.rand(1, 3, 20, 30), seconds, {"style": style, "content": 0.5, "total": style + 0.5})


def test_the_photo_has_no_content_loss_and_the_painting_no_style_loss(judge, photo):
    of_photo, of_painting = (
        judge.losses(photo),
        judge.losses(Painting(strokes_picture(), name="", reference_px=64).render(1)[..., :48, :64]),
    )
    assert of_photo["content"] == 0
    assert of_painting["style"] < 0.1 * of_photo["style"]


def test_the_total_is_the_weighted_sum(judge, photo):
    found = judge.losses(photo.flip(-1))
    variation = found["total"] - SPEC.style_weight * found["style"] - SPEC.content_weight * found["content"]
    assert 0 < variation < SPEC.tv_weight


def test_the_photo_comes_first_and_each_painter_is_timed(judge, photo):
    entries = compare(photo, {"moments": lambda picture: picture / 2, "model": lambda picture: picture}, judge)
    assert [each.name for each in entries] == ["photo", "moments", "model"]
    assert torch.equal(entries[1].picture, photo / 2)
    assert entries[0].seconds is None
    assert min(each.seconds for each in entries[1:]) >= 0
    assert entries[2].losses == entries[0].losses


def test_ratios_are_to_features():
    found = figures([entry("photo", 6.0), entry("moments", 3.0, 1.0), entry("features", 2.0, 4.0)])
    assert [each["name"] for each in found] == ["photo", "moments", "features"]
    assert found[1]["style_loss"] == 3.0
    assert found[1]["ratio_to_features"] == {"style": 1.5, "content": 1.0, "total": 1.4, "seconds": 0.25}
    assert found[0]["ratio_to_features"]["seconds"] is None


def test_a_loss_of_zero_has_no_ratio():
    assert figures([entry("moments", 1.0, 1.0), entry("features", 0.0, 1.0)])[0]["ratio_to_features"]["style"] is None


def test_without_features_there_is_no_ratio():
    assert figures([entry("moments", 3.0, 1.0)])[0]["ratio_to_features"] is None


def test_the_sheet_shows_the_painting_after_the_photo():
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 320, 320)
    found = sheet([entry("photo", 1.0), entry("moments", 1.0)], red)
    assert found[0, :, -10, 320 + 170].tolist() == pytest.approx([1, 0, 0], abs=0.01)
    assert 3 * 320 < found.shape[-1] < 3.2 * 320


def test_lines_are_aligned():
    found = lines([entry("photo", 6.0), entry("features", 2.0, 4.25)])
    assert found == [
        "              style loss  content loss       seconds",
        "photo             6.0000        0.5000             -",
        "features          2.0000        0.5000           4.2",
    ]
