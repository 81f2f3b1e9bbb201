import math

import pytest
import torch

from brushnet.errors import UserError
from brushnet.measure.bank import SteerableTexture
from brushnet.measure.matched import (
    PaintingStatistics,
    distance_curves,
    matched_octaves,
    painting_statistics,
    parabolic_minimum,
)
from brushnet.measure.painter import noise_photo, paint
from brushnet.measure.texture import Texture
from brushnet.strokes import Painting


@pytest.fixture(scope="session")
def statistics(painting: Painting, texture: Texture) -> PaintingStatistics:
    return painting_statistics(painting, texture=texture)


@pytest.fixture(scope="module")
def steerable(painting: Painting) -> PaintingStatistics:
    return painting_statistics(painting, texture=SteerableTexture())


@pytest.mark.parametrize("octaves", [-0.7, -0.31, 0.0, 0.44, 1.0])
def test_a_rescaled_painting_is_found_at_its_scale(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    match = matched_octaves(painting.render(2.0**octaves), statistics)
    assert match.octaves == pytest.approx(octaves, abs=0.08)
    assert match.low <= octaves <= match.high
    assert match.distance < 0.1


@pytest.mark.parametrize("octaves", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("corner", ["top left", "bottom right"])
def test_a_part_of_a_rescaled_painting_is_found_at_its_scale(
    painting: Painting, statistics: PaintingStatistics, octaves: float, corner: str
) -> None:
    whole = painting.render(2.0**octaves)
    height, width = (side * 5 // 8 for side in whole.shape[-2:])
    part = whole[..., :height, :width] if corner == "top left" else whole[..., -height:, -width:]
    assert matched_octaves(part, statistics).octaves == pytest.approx(octaves, abs=0.12)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.flip(-1),
        lambda picture: picture.flip(-2),
        lambda picture: picture.rot90(dims=(-2, -1)),
        lambda picture: picture.rot90(2, dims=(-2, -1)),
        lambda picture: 0.1 + 0.6 * picture,
        lambda picture: 0.5 * picture,
        lambda picture: picture + 0.05,
    ],
    ids=["mirrored", "upside down", "turned", "turned twice", "less contrast", "dark", "bright"],
)
def test_flips_turns_brightness_and_contrast_do_not_move_the_matched_scale(
    painting: Painting, steerable: PaintingStatistics, change
) -> None:
    picture = 0.1 + 0.8 * painting.render(2.0**0.3)
    plain = matched_octaves(picture, steerable).octaves
    assert plain == pytest.approx(0.3, abs=0.08)
    assert matched_octaves(change(picture), steerable).octaves == pytest.approx(plain, abs=0.02)


def test_other_photos_painted_with_these_strokes_are_told_by_their_width() -> None:
    painted = paint(noise_photo(320, 400, seed=1), stroke_px=16, seed=1)
    painting = Painting((255 * painted[0]).to(torch.uint8), name="painted", reference_px=160)
    statistics = painting_statistics(painting, texture=SteerableTexture())
    found = []
    for octaves in (-0.4, 0.3, 0.8):
        other = paint(noise_photo(200, 220, seed=2), stroke_px=8 * 2**octaves, seed=2)
        found.append(matched_octaves(other, statistics).octaves - octaves)
    assert max(map(abs, found)) < 0.35
    assert sum(map(abs, found)) / len(found) < 0.25


def test_the_grid_reaches_from_48_px_to_a_step_beyond_the_paintings_own_size(
    painting: Painting, statistics: PaintingStatistics
) -> None:
    smallest, largest = (painting.reference_px * 2 ** float(statistics.octaves[end]) for end in (0, -1))
    assert 48 / 2**0.25 < smallest <= 48
    assert largest == pytest.approx(painting.short_px * 2**0.25)
    assert statistics.octaves.diff().allclose(torch.tensor(0.25))


def test_octaves_and_step_bound_the_grid(painting: Painting, texture: Texture) -> None:
    statistics = painting_statistics(painting, texture=texture, octaves=(-0.5, 0.5), step_octaves=0.5)
    assert statistics.octaves.tolist() == [-0.5, 0.0, 0.5]


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_single_colour_has_no_matched_scale(statistics: PaintingStatistics, value: float) -> None:
    assert all(map(math.isnan, matched_octaves(torch.full((1, 3, 90, 120), value), statistics)))


def test_a_smooth_change_has_no_matched_scale(statistics: PaintingStatistics) -> None:
    across = torch.linspace(0, 1, 200).expand(1, 3, 120, 200)
    rounded = (across * 255).round() / 255
    hill = (torch.linspace(-1, 1, 200).square() * 0.5).expand(1, 3, 120, 200)
    for picture in (across, rounded, hill):
        assert math.isnan(matched_octaves(picture, statistics).octaves)


def test_a_picture_too_small_to_measure_is_refused(statistics: PaintingStatistics) -> None:
    with pytest.raises(UserError, match=r"a picture of 90 x 20 px is too small to be measured: at least 48 px"):
        matched_octaves(torch.rand(1, 3, 20, 90), statistics)


def test_the_smallest_picture_is_measured(painting: Painting, statistics: PaintingStatistics) -> None:
    match = matched_octaves(painting.render(1.0)[..., :48, :48], statistics)
    assert statistics.octaves[0] <= match.octaves <= statistics.octaves[-1]


def test_a_painting_too_small_for_the_grid_is_refused(texture: Texture) -> None:
    tiny = Painting(torch.randint(256, (3, 45, 45), dtype=torch.uint8), name="tiny", reference_px=128)
    with pytest.raises(
        UserError, match=r"tiny is 45 px on its short side; .* scales from 0\.375 it must have at least 57 px"
    ):
        painting_statistics(tiny, texture=texture)


def test_every_tile_has_its_curve_and_the_painting_itself_is_next_to_nothing_away(
    painting: Painting, statistics: PaintingStatistics
) -> None:
    curves = distance_curves(painting.render(2.0**0.75), statistics)
    assert curves is not None
    nearest = statistics.octaves[curves.argmin(dim=1)]
    assert ((nearest - 0.75).abs() <= 0.25).float().mean() > 0.9
    assert curves.exp().min() < 0.05


def test_blank_margins_do_not_move_the_matched_scale(painting: Painting, steerable: PaintingStatistics) -> None:
    strokes = painting.render(2.0**0.5)
    framed = torch.nn.functional.pad(strokes, (0, 200, 0, 0), value=1.0)
    assert matched_octaves(framed, steerable).octaves == pytest.approx(0.5, abs=0.12)


def test_next_to_no_texture_is_none(steerable: PaintingStatistics) -> None:
    speck = torch.full((1, 3, 900, 900), 0.5)
    speck[..., 400:410, 400:410] = 1.0
    assert math.isnan(matched_octaves(speck, steerable).octaves)


def test_where_the_grid_ends_the_confidence_is_open(painting: Painting) -> None:
    statistics = painting_statistics(painting, texture=SteerableTexture(), octaves=(0.0, 1.0))
    larger, smaller = (matched_octaves(painting.render(2.0**octaves), statistics) for octaves in (1.5, -0.6))
    assert (larger.octaves, larger.high) == (1, math.inf)
    assert (smaller.octaves, smaller.low) == (0, -math.inf)
    assert math.isfinite(larger.low)
    assert math.isfinite(smaller.high)


def test_a_painting_without_texture_is_refused(texture: Texture) -> None:
    grey = Painting(torch.full((3, 200, 300), 90, dtype=torch.uint8), name="grey", reference_px=128)
    ramp = torch.linspace(0, 255, 300).to(torch.uint8).expand(3, 200, 300)
    for painting in (grey, Painting(ramp, name="grey", reference_px=128)):
        with pytest.raises(UserError, match=r"grey has no texture; a painting with brushstrokes is needed"):
            painting_statistics(painting, texture=texture)


def test_parabolic_minimum_is_exact_for_a_parabola_and_stays_at_the_ends() -> None:
    steps = torch.arange(7.0)
    place, value = parabolic_minimum((steps - 3.3) ** 2 + 0.5)
    assert place == pytest.approx(3.3, abs=1e-5)
    assert value == pytest.approx(0.5, abs=1e-5)
    assert parabolic_minimum(steps) == (0.0, 0.0)
    assert parabolic_minimum(6 - steps) == (6.0, 0.0)
    assert parabolic_minimum(torch.ones(5)) == (0.0, 1.0)
