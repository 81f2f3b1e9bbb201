import pytest
import torch

from brushnet import images
from brushnet.errors import UserError
from brushnet.measure.probe_pictures import (
    check_size,
    open_paintings,
    painted_series,
    rescaled_series,
    scale_ladder,
    subject,
    width_ladder,
)
from brushnet.strokes import Painting
from tests.conftest import strokes_picture


def test_widths_rise_by_half_octaves() -> None:
    assert width_ladder(2, 64)[::2] == pytest.approx([2, 4, 8, 16, 32, 64])


def test_a_subject_is_the_same_at_any_size_and_another_for_each_draw() -> None:
    for draw in (0, 1):
        small, large = subject(draw, 48, seed=0), subject(draw, 96, seed=0)
        assert (images.resize(large, 48, 48) - small).abs().mean() < 0.005
        assert (subject(draw + 2, 48, seed=0) - small).abs().mean() > 0.01


def test_the_same_subjects_are_painted_at_every_width() -> None:
    series = painted_series([4.0, 8.0], draws=2, size_px=48, seed=0, processes=1)
    again = painted_series([8.0], draws=2, size_px=48, seed=0, processes=1)
    assert [len(pictures) for pictures in series.pictures] == [2, 2]
    assert all(torch.equal(one, two) for one, two in zip(series.pictures[1], again.pictures[0], strict=True))
    assert (series.pictures[0][0] - series.pictures[1][0]).abs().mean() > 0.02


@pytest.mark.slow
def test_two_processes_paint_what_one_paints() -> None:
    one, two = (painted_series([4.0, 8.0], draws=2, size_px=48, seed=0, processes=count) for count in (1, 2))
    assert all(
        torch.equal(a, b) for pair in zip(one.pictures, two.pictures, strict=True) for a, b in zip(*pair, strict=True)
    )


def test_parts_of_a_painting_keep_their_place_at_every_scale() -> None:
    painting = Painting(strokes_picture(256, 384), name="diagonal", reference_px=128)
    scales = scale_ladder([painting])
    assert scales[0] * 128 / 2 == pytest.approx(64, abs=1)
    assert scales[-1] == painting.largest_scale
    small, large = (rescaled_series(painting, [scale]).pictures[0] for scale in (scales[0], scales[-1]))
    assert len(small) == len(large) == 6
    for one, other in zip(small, large, strict=True):
        assert (images.resize(other, *one.shape[-2:]) - one).abs().mean() < 0.05


def test_a_painting_without_an_octave_to_spare_is_refused() -> None:
    painting = Painting(strokes_picture(160, 240), name="little", reference_px=64)
    with pytest.raises(UserError, match=r"--style little is 160 px on its short side; at least 256 px"):
        scale_ladder([painting])


def test_strokes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"--size must be at least 256 px, 4 times the widest strokes \(64 px\), got 200"
    ):
        check_size(200, 64)


def test_paintings_that_cannot_be_probed_are_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"--style .*none\.png cannot be read: picture not found"):
        open_paintings([str(tmp_path / "none.png")], reference_px=64)
    images.write(torch.full((1, 3, 40, 40), 0.5), tmp_path / "grey.png")
    with pytest.raises(UserError, match=r"--style .*grey\.png is all of one colour"):
        open_paintings([str(tmp_path / "grey.png")], reference_px=64)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"--style .*text\.png cannot be read: not a picture"):
        open_paintings([str(tmp_path / "text.png")], reference_px=64)
