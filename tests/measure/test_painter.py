import numpy as np
import pytest
import torch
from torch import Tensor

from brushnet.errors import UserError
from brushnet.measure.brushes import BRUSHES, Stroke
from brushnet.measure.flow import blur, brush_flow, swirls
from brushnet.measure.painter import noise_photo as smooth_noise
from brushnet.measure.painter import paint
from brushnet.seeds import rng


def noise_photo(*, height: int = 96, width: int = 128, seed: int = 0) -> Tensor:
    coarse = torch.from_numpy(rng(seed, "photo").random((1, 3, height // 24, width // 24), dtype="float32"))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def correlation_length_px(picture_13HW: Tensor) -> float:
    """Area under the autocorrelation of the picture's detail, the mean of both axes."""
    grey = picture_13HW.mean(dim=1)[0]
    grey = grey - grey.mean()
    spectrum = torch.fft.rfft2(grey, s=(2 * grey.shape[0], 2 * grey.shape[1]))
    correlation = torch.fft.irfft2(spectrum.abs() ** 2)
    line = (correlation[0, :40] + correlation[:40, 0]) / (2 * correlation[0, 0])
    return float(line.clamp(min=0).sum())


def test_the_same_seed_paints_the_same_picture_and_another_seed_another() -> None:
    photo = noise_photo()
    first = paint(photo, stroke_px=8, seed=3)
    assert torch.equal(first, paint(photo, stroke_px=8, seed=3))
    assert (first - paint(photo, stroke_px=8, seed=4)).abs().mean() > 0.01


def test_the_photo_is_left_untouched() -> None:
    photo = noise_photo()
    before = photo.clone()
    paint(photo, stroke_px=8)
    assert torch.equal(photo, before)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 70), (33, 47), (64, 200)])
def test_any_size_is_kept_and_pixels_lie_in_range(height: int, width: int) -> None:
    painted = paint(torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)), stroke_px=9)
    assert painted.shape == (1, 3, height, width)
    assert painted.dtype == torch.float32
    assert painted.is_contiguous()
    assert painted.isfinite().all()
    assert 0 <= painted.min() <= painted.max() <= 1


def test_wider_strokes_are_coarser_in_the_picture() -> None:
    photo = torch.full((1, 3, 256, 256), 0.5)
    narrow, wide = (correlation_length_px(paint(photo, stroke_px=width)) for width in (4, 36))
    assert wide > 1.5 * narrow


def test_colours_stay_those_of_the_photo() -> None:
    photo = noise_photo()
    painted = paint(photo, stroke_px=6, vividness=1.0)
    assert torch.allclose(painted.mean(dim=(2, 3)), photo.mean(dim=(2, 3)), atol=0.06)
    error = (blur(painted, 6.0) - blur(photo, 6.0)).abs().mean()
    assert error < 0.3 * (photo - photo.mean(dim=(2, 3), keepdim=True)).abs().mean()


def test_no_hole_shows_the_ground() -> None:
    # A white photo on a ground toned down to 0.75: an unpainted pixel would be darker than any paint.
    painted = paint(torch.ones(1, 3, 128, 128), stroke_px=8, colour_jitter=0.0, relief=0.0)
    assert (painted.mean(dim=1) < 0.8).float().mean() < 0.01


def test_strokes_run_along_the_edges_of_the_photo() -> None:
    vertical_edge = torch.zeros(1, 3, 96, 96)
    vertical_edge[..., 48:] = 1
    draws = rng(0, "test")
    flow = brush_flow(vertical_edge, smooth_px=8, swirl_13HW=swirls(96, 96, feature_px=40, draws=draws))
    assert abs(torch.from_numpy(flow.angle[:, 44:52]).sin()).min() > 0.95


def test_a_flow_around_a_disc_turns_with_its_radius() -> None:
    y, x = torch.meshgrid(torch.arange(128.0) - 64, torch.arange(128.0) - 64, indexing="ij")
    disc = torch.sigmoid(40 - (x * x + y * y).sqrt()).expand(1, 3, -1, -1)
    flow = brush_flow(disc, smooth_px=4, swirl_13HW=swirls(128, 128, feature_px=60, draws=rng(0, "test")))
    assert abs(flow.curvature_per_px[64, 104]) == pytest.approx(1 / 40, rel=0.2)


def test_relief_lights_the_paint() -> None:
    photo = torch.full((1, 3, 64, 64), 0.5)
    flat = paint(photo, stroke_px=12, colour_jitter=0.0, relief=0.0)
    raised = paint(photo, stroke_px=12, colour_jitter=0.0, relief=0.8)
    assert raised.std() > 1.1 * flat.std()


@pytest.mark.parametrize("stroke_px", [0, 0.5, 2000, float("nan")])
def test_a_stroke_width_out_of_range_is_refused(stroke_px: float) -> None:
    with pytest.raises(UserError, match=rf"stroke_px must be between 1 and 1000, got {stroke_px}"):
        paint(torch.zeros(1, 3, 8, 8), stroke_px=stroke_px)


@pytest.mark.parametrize("brush", BRUSHES)
def test_every_brush_keeps_any_size_and_draws_the_same_for_the_same_seed(brush: str) -> None:
    photo = smooth_noise(45, 61, seed=1)
    painted = paint(photo, stroke_px=7, brush=brush, seed=2)
    assert painted.shape == photo.shape
    assert painted.isfinite().all()
    assert 0 <= painted.min() <= painted.max() <= 1
    assert painted.std() > 0.02
    assert torch.equal(painted, paint(photo, stroke_px=7, brush=brush, seed=2))
    assert not torch.equal(painted, paint(photo, stroke_px=7, brush=brush, seed=3))


def test_bristle_is_the_brush_unless_told_otherwise() -> None:
    photo = noise_photo()
    assert torch.equal(paint(photo, stroke_px=8), paint(photo, stroke_px=8, brush="bristle"))
    pictures = [paint(photo, stroke_px=8, brush=brush) for brush in BRUSHES]
    for index, picture in enumerate(pictures):
        assert all((picture - other).abs().mean() > 0.01 for other in pictures[:index])


def narrow_share(picture_13HW: Tensor, px: int) -> float:
    """Share of the dark that is gone once everything narrower than about `px` is filled with light."""
    grey = picture_13HW.mean(dim=1)
    pool = torch.nn.functional.max_pool2d
    filled = -pool(-pool(grey, px, stride=1, padding=px // 2), px, stride=1, padding=px // 2)
    size = slice(px, -px)
    return float((filled - grey)[..., size, size].sum() / (0.95 - grey)[..., size, size].sum())


def test_lines_of_a_pen_are_as_wide_as_asked_with_paper_between() -> None:
    drawn = paint(torch.full((1, 3, 256, 256), 0.5), stroke_px=8, brush="pen")
    assert (drawn.mean(dim=1) > 0.9).float().mean() > 0.3
    assert narrow_share(drawn, 5) < 0.15  # a square fits into a slanted line that is 1.4 times its side
    assert narrow_share(drawn, 13) > 0.7


def test_a_pen_draws_more_lines_where_the_photo_is_dark() -> None:
    photo = torch.full((1, 3, 128, 256), 0.1)
    photo[..., 128:] = 0.95
    ink = paint(photo, stroke_px=3, brush="pen").mean(dim=1) < 0.7
    assert ink[..., :120].float().mean() > 1.5 * ink[..., 136:].float().mean()


def test_a_flat_brush_leaves_one_colour_in_a_stroke_and_bristles_do_not() -> None:
    photo = torch.full((1, 3, 160, 160), 0.5)

    def same_as_neighbour(brush: str) -> float:
        painted = paint(photo, stroke_px=24, brush=brush, relief=0.0)
        return float((painted.diff(dim=-1).abs().amax(dim=1) < 1e-4).float().mean())

    assert same_as_neighbour("flat") > 0.7
    assert same_as_neighbour("bristle") < 0.5


def test_a_dab_covers_a_disc_of_its_width() -> None:
    colour = np.zeros(3, np.float32)
    for half_length in (6.0, 10.0):  # shorter than wide it is round
        dab = Stroke(0, 0, 0, 0, 10.0, half_length, colour, colour, 0)
        v, u = np.mgrid[-16:17, -16:17].astype(np.float32)
        assert BRUSHES["dab"].mark(dab, u, v, v).alpha.sum() == pytest.approx(np.pi * 10**2, rel=0.02)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (130, 70)])
def test_noise_photo_has_any_size_and_is_smooth(height: int, width: int) -> None:
    photo = smooth_noise(height, width, seed=4)
    assert photo.shape == (1, 3, height, width)
    assert 0 <= photo.min() <= photo.max() <= 1
    assert torch.equal(photo, smooth_noise(height, width, seed=4))
    if min(height, width) > 50:
        assert photo.std() > 0.05
        assert photo.diff(dim=-1).abs().max() < 0.1
        assert not torch.equal(photo, smooth_noise(height, width, seed=5))


def test_an_unknown_brush_is_refused() -> None:
    with pytest.raises(UserError, match="brush must be one of bristle, flat, dab, pen, got comb"):
        paint(torch.zeros(1, 3, 8, 8), stroke_px=2, brush="comb")
