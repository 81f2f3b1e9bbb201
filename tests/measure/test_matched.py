import math

import pytest
import torch

from brushnet.errors import UserError
from brushnet.measure.matched import (
    Encoder,
    PaintingStatistics,
    distance_curve,
    matched_octaves,
    painting_statistics,
    parabolic_minimum,
)
from brushnet.strokes import Painting


@pytest.fixture(scope="session")
def statistics(painting: Painting, encode: Encoder) -> PaintingStatistics:
    return painting_statistics(painting, encode=encode, octaves=(-1.25, 1.0))


@pytest.mark.parametrize("octaves", [-0.9, -0.31, 0.0, 0.44, 0.8])
def test_a_rescaled_painting_is_found_at_its_scale(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    match = matched_octaves(painting.render(2.0**octaves), statistics)
    assert match.octaves == pytest.approx(octaves, abs=0.04)
    assert match.distance < 0.02


@pytest.mark.parametrize("octaves", [-0.31, 0.2])
def test_part_of_a_rescaled_painting_is_found_at_its_scale(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    whole = painting.render(2.0**octaves)
    part = whole[..., : whole.shape[-2] * 2 // 3, : whole.shape[-1] * 2 // 3]
    assert matched_octaves(part, statistics).octaves == pytest.approx(octaves, abs=0.2)


def test_the_grid_ends_where_the_painting_would_be_enlarged(painting: Painting, encode: Encoder) -> None:
    statistics = painting_statistics(painting, encode=encode, octaves=(0.0, 3.0))
    assert statistics.octaves.tolist() == [k / 8 for k in range(9)]


def test_contrast_does_not_move_the_matched_scale(painting: Painting, statistics: PaintingStatistics) -> None:
    picture = painting.render(2.0**0.3)
    plain = matched_octaves(picture, statistics).octaves
    assert matched_octaves(0.5 + 0.7 * (picture - 0.5), statistics).octaves == pytest.approx(plain, abs=0.15)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_blank_picture_has_no_matched_scale(statistics: PaintingStatistics, value: float) -> None:
    match = matched_octaves(torch.full((1, 3, 90, 120), value), statistics)
    assert math.isnan(match.octaves)
    assert math.isnan(match.distance)


def test_a_picture_too_small_to_measure_is_refused(statistics: PaintingStatistics) -> None:
    with pytest.raises(UserError, match=r"a picture of \(20, 90\) px is too small to be measured: at least 24 px"):
        matched_octaves(torch.rand(1, 3, 20, 90), statistics)


def test_a_small_picture_is_measured_without_the_coarse_level(
    painting: Painting, statistics: PaintingStatistics
) -> None:
    picture = painting.render(1.0)[..., :40, :40]
    assert matched_octaves(picture, statistics).octaves == pytest.approx(0, abs=0.5)


def test_a_painting_too_small_for_the_grid_is_refused(encode: Encoder) -> None:
    tiny = Painting(torch.zeros(3, 40, 40, dtype=torch.uint8), name="tiny", reference_px=128)
    with pytest.raises(
        UserError, match=r"tiny is 40 px on its short side; .* scales from 0\.5 it must have at least 76 px"
    ):
        painting_statistics(tiny, encode=encode, octaves=(-1.0, 1.0))


def test_the_distance_curve_falls_to_its_minimum_and_rises_again(
    painting: Painting, statistics: PaintingStatistics
) -> None:
    curve = distance_curve(painting.render(1.0), statistics)
    assert curve is not None
    lowest = int(curve.argmin())
    assert statistics.octaves[lowest] == 0
    assert curve[lowest] == pytest.approx(0, abs=1e-4)
    assert (curve[: lowest + 1].diff() < 0).all()
    assert (curve[lowest:].diff() > 0).all()


def test_parabolic_minimum_is_exact_for_a_parabola_and_stays_at_the_ends() -> None:
    steps = torch.arange(7.0)
    place, value = parabolic_minimum((steps - 3.3) ** 2 + 0.5)
    assert place == pytest.approx(3.3, abs=1e-5)
    assert value == pytest.approx(0.5, abs=1e-5)
    assert parabolic_minimum(steps) == (0.0, 0.0)
    assert parabolic_minimum(6 - steps) == (6.0, 0.0)
    assert parabolic_minimum(torch.ones(5)) == (0.0, 1.0)
