"""Stroke maps over a picture: their shape, their grid, and what a model paints by them."""

import pytest
import torch
from torch.nn import functional as F

from brushnet.errors import UserError
from brushnet.stroke_map import MOST_CELLS, check_aspect, fit_map
from tests.test_models import make_model


@pytest.mark.parametrize(
    ("map_size", "photo_size"),
    [((1, 1), (20, 900)), ((10, 15), (200, 300)), ((3, 4), (480, 640)), ((213, 320), (427, 640)), ((1, 1), (1, 1)),
     ((100, 151), (2000, 3000)), ((100, 152), (2000, 3000)), ((1, 70), (1, 70)), ((7, 10), (480, 640))],
)  # fmt: skip
def test_map_of_the_photos_shape_fits_up_to_2_percent_and_rounding(map_size, photo_size):
    check_aspect(map_size, photo_size)


@pytest.mark.parametrize("map_size", [(300, 200), (200, 310), (200, 200), (1, 10), (40, 1)])
def test_map_of_another_shape_is_refused_with_both_sizes(map_size):
    h, w = map_size
    text = rf"^stroke map is {w} x {h} px, the photo 300 x 200; the map must have the photo's aspect ratio$"
    with pytest.raises(UserError, match=text):
        check_aspect(map_size, (200, 300))


def test_one_number_stays_one_number():
    assert fit_map(torch.full((2, 1, 1, 1), 0.7), (480, 640)).shape == (2, 1, 1, 1)


def test_even_map_stays_even():
    fitted = fit_map(torch.full((1, 1, 480, 640), 0.7), (480, 640))
    torch.testing.assert_close(fitted, torch.full((1, 1, 30, 40), 0.7))


@pytest.mark.parametrize("size", [(4000, 6000), (6000, 4000), (20_000, 60)])
def test_grid_of_a_large_photo_is_small(size):
    assert max(fit_map(torch.zeros(1, 1, *(side // 10 for side in size)), size).shape) <= MOST_CELLS


def test_a_hard_edge_becomes_a_smooth_transition_and_the_levels_stay():
    levels = torch.zeros(1, 1, 480, 640)
    levels[..., 320:] = 3.0
    row = fit_map(levels, (480, 640))[0, 0, 15]
    steps = row.diff()
    assert (steps >= -1e-6).all()
    assert steps.max() < 0.5 * 3
    torch.testing.assert_close(row[[0, 14, 25, 39]], torch.tensor([0.0, 0.0, 3.0, 3.0]), atol=1e-2, rtol=0)


@pytest.mark.parametrize(("side_px", "wide_px"), [(640, 50), (3200, 96)])
def test_the_transition_is_as_wide_as_the_readme_says(side_px, wide_px):
    levels = torch.zeros(1, 1, 8, side_px)
    levels[..., side_px // 2 :] = 1.0
    row = F.interpolate(fit_map(levels, (8, side_px)), (8, side_px), mode="bilinear")[0, 0, 0]
    assert int(((row > 0.1) & (row < 0.9)).sum()) == pytest.approx(wide_px, rel=0.1)


def test_between_the_points_of_a_coarse_map_the_octaves_are_interpolated():
    row = fit_map(torch.tensor([[[[-1.0, 1.0], [-1.0, 1.0]]]]), (640, 640))[0, 0, 7]
    assert row.shape == (40,)
    assert row.diff().max() < 0.15


class TestPainting:
    photo = torch.rand(1, 3, 96, 320, generator=torch.Generator().manual_seed(3))

    def test_two_levels_paint_as_each_of_them_far_from_the_border(self):
        model = make_model()
        levels = torch.full((1, 1, 96, 320), 0.5)
        levels[..., 160:] = 2.0
        painted = model(self.photo, levels)
        # Not to the last digit: instance norm sees the whole picture.
        left, right = model(self.photo, 0.5), model(self.photo, 2.0)
        near_left, near_right = (painted - left).abs().mean(dim=(0, 1, 2)), (painted - right).abs().mean(dim=(0, 1, 2))
        assert near_left[:80].mean() < 0.5 * near_right[:80].mean()
        assert near_right[-80:].mean() < 0.5 * near_left[-80:].mean()

    def test_each_photo_of_a_batch_has_its_own_map(self):
        model = make_model()
        maps = torch.linspace(0.5, 2.0, 40).view(1, 1, 1, 40).repeat(2, 1, 12, 1)
        maps[1] = maps[1].flip(-1)
        both = model(self.photo.expand(2, -1, -1, -1), maps)
        for index in (0, 1):
            torch.testing.assert_close(both[index : index + 1], model(self.photo, maps[index : index + 1]))

    def test_map_of_another_shape_is_refused(self):
        with pytest.raises(UserError, match=r"^stroke map is 40 x 40 px, the photo 320 x 96; the map must have"):
            make_model()(self.photo, torch.ones(1, 1, 40, 40))

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0, -1.0])
    def test_point_that_is_no_stroke_scale_is_refused(self, wrong):
        levels = torch.ones(1, 1, 12, 40)
        levels[0, 0, 3, 4] = wrong
        with pytest.raises(
            UserError, match=rf"^stroke must be a finite number above 0, got {wrong:g} at 1 of 480 points$"
        ):
            make_model()(self.photo, levels)

    def test_map_beyond_the_range_is_clamped_with_a_warning_or_refused(self, caplog):
        model = make_model()
        levels = torch.full((1, 1, 12, 40), 1.0)
        levels[..., 20:] = 8.0
        painted = model(self.photo, levels)
        assert caplog.messages == ["stroke 1 to 8 is outside the trained range 0.5 to 2: clamped"]
        torch.testing.assert_close(painted, model(self.photo, levels.clamp(max=2.0)))
        with pytest.raises(UserError, match=r"^stroke 1 to 8 is outside the trained range 0\.5 to 2$"):
            model(self.photo, levels, strict=True)
