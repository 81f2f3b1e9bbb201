import pytest
import torch

from brushnet import images, samples
from brushnet.losses import (
    PAINTED_SHARE,
    Statistics,
    StyleTarget,
    content_distance,
    covariance,
    gram,
    grid_pattern,
    pyramid,
    statistics,
    style_distance,
    target_of,
    total_variation,
)


def feats(seed: int = 0, batch: int = 2, channels: int = 6, size: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, size, size, generator=generator)


def target_like(features: torch.Tensor) -> StyleTarget:
    return target_of(statistics(features, kind="covariance"))


@pytest.mark.parametrize("statistic", [gram, covariance])
@pytest.mark.parametrize("dims", [(2,), (3,), (2, 3)])
def test_second_moments_are_invariant_to_flips(statistic, dims):
    torch.testing.assert_close(statistic(feats()), statistic(feats().flip(dims)))


@pytest.mark.parametrize("statistic", [gram, covariance])
def test_second_moments_are_symmetric_and_positive(statistic):
    matrix = statistic(feats())
    torch.testing.assert_close(matrix, matrix.mT)
    assert torch.linalg.eigvalsh(matrix).min() > -1e-6


@pytest.mark.parametrize("statistic", [gram, covariance])
def test_second_moments_do_not_depend_on_the_picture_size(statistic):
    torch.testing.assert_close(statistic(feats()), statistic(feats().repeat(1, 1, 2, 3)))


def test_covariance_ignores_a_constant_and_gram_does_not():
    torch.testing.assert_close(covariance(feats()), covariance(feats() + 3), atol=1e-5, rtol=1e-4)
    assert (gram(feats()) - gram(feats() + 3)).abs().max() > 1


def test_covariance_is_the_gram_matrix_less_the_outer_product_of_the_means():
    mean = feats().mean(dim=(2, 3))
    torch.testing.assert_close(covariance(feats()), gram(feats()) - mean[:, :, None] * mean[:, None])


def test_statistics_are_float32_whatever_the_features():
    found = statistics(feats().bfloat16(), kind="gram")
    assert found.matrix.dtype == found.mean.dtype == torch.float32


def test_style_distance_of_the_target_itself_is_zero():
    assert style_distance(statistics(feats(), kind="covariance"), target_like(feats()), mean_weight=1).max() < 1e-10


def test_style_distance_of_nothing_is_one_for_each_of_its_terms():
    nothing = Statistics(torch.zeros(2, 6, 6), torch.zeros(2, 6))
    torch.testing.assert_close(style_distance(nothing, target_like(feats()), mean_weight=0.3), torch.full((2,), 1.3))


@pytest.mark.parametrize("gain", [0.01, 100.0])
def test_losses_do_not_depend_on_the_units_of_the_features(gain):
    a, b = feats(0), feats(1)
    plain = style_distance(statistics(a, kind="covariance"), target_like(b), mean_weight=0.3)
    scaled = style_distance(statistics(a * gain, kind="covariance"), target_like(b * gain), mean_weight=0.3)
    torch.testing.assert_close(plain, scaled, rtol=1e-3, atol=1e-6)


def test_content_distance_is_zero_for_the_photo_and_near_one_for_nothing():
    assert content_distance(feats(), feats()).max() == 0
    nothing = content_distance(torch.zeros_like(feats()), feats())
    assert ((nothing > 0.9) & (nothing < 1)).all()


def test_content_distance_to_a_photo_without_content_is_finite():
    blank = torch.zeros(1, 4, 8, 8)
    assert torch.isfinite(content_distance(blank + 0.1, blank)).all()


def test_total_variation_is_zero_for_flat_pictures_and_counts_both_directions():
    assert total_variation(torch.full((1, 3, 8, 8), 0.4)).item() == 0
    ramp = torch.linspace(0, 1, 11).view(1, 1, 1, 11).expand(1, 3, 11, 11)
    assert total_variation(ramp).item() == pytest.approx(0.1)
    assert total_variation(ramp.mT).item() == pytest.approx(0.1)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_pattern_on_the_networks_grid_is_found_wherever_it_begins(period):
    places = torch.arange(136) % period < period / 2
    pattern = (places[:, None] ^ places[None]).float().expand(2, 3, -1, -1)
    assert (grid_pattern(pattern) > 0.97).all()
    assert (grid_pattern(pattern[..., 1:129, 1:129]) > 0.97).all()


def test_a_pattern_that_changes_its_sign_from_place_to_place_is_found():
    mesh = ((torch.arange(128)[:, None] + torch.arange(128)) % 2).float() - 0.5
    sign = ((torch.arange(128)[:, None] // 16 + torch.arange(128) // 16) % 2).float() * 2 - 1
    assert float(grid_pattern((mesh * sign).expand(1, 3, -1, -1))) > 0.5


def test_gradients_and_other_periods_hardly_repeat_and_edges_alternate_by_a_sixteenth():
    ramp = torch.linspace(0, 1, 128)
    stripes = (torch.arange(128) % 10 < 5).float().expand(128, 128)
    pictures = torch.stack([ramp.expand(128, 128), (ramp > 0.3).float().expand(128, 128), stripes])
    found = grid_pattern(pictures[:, None].expand(-1, 3, -1, -1))
    edges = (1 + 9 + 9 + 1) / 64 - PAINTED_SHARE  # a single difference under (1, -3, 3, -1) / 8
    assert (found - torch.tensor([0, edges, edges]) < 0.25).all(), found
    assert float(grid_pattern(torch.full((1, 3, 64, 64), 0.5))) == 0


def test_white_noise_alternates_as_its_differences_say():
    noise = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    alternates, repeats = (1 + 16 + 36 + 16 + 1) / 64 / 2, 1 / 64  # of 64 cells a window has
    assert float(grid_pattern(noise)) == pytest.approx(alternates - PAINTED_SHARE + repeats, abs=0.005)


@pytest.mark.parametrize("name", ["cat", "grass", "astronaut"])
def test_photos_have_hardly_any(name):
    assert float(grid_pattern(images.read(samples.resolve("sample:photos") / f"{name}.jpg"))) < 0.05


@pytest.mark.parametrize("size", [(16, 16), (40, 100), (65, 64)])
def test_of_pictures_of_any_size_a_pattern_is_found(size):
    mesh = ((torch.arange(size[0])[:, None] + torch.arange(size[1])) % 2).float().expand(1, 3, -1, -1)
    assert float(grid_pattern(mesh)) > 0.9


def test_pyramid_halves_and_keeps_the_mean():
    picture = torch.rand(1, 3, 32, 48)
    levels = pyramid(picture, 3)
    assert [tuple(level.shape[-2:]) for level in levels] == [(32, 48), (16, 24), (8, 12)]
    torch.testing.assert_close(levels[2].mean(), picture.mean())


def test_a_picture_is_at_no_distance_from_its_own_statistics_and_at_its_energy_from_nothing():
    found = statistics(torch.rand(2, 4, 8, 8), kind="covariance")
    nothing = Statistics(torch.zeros_like(found.matrix), torch.zeros_like(found.mean))
    assert style_distance(found, target_of(found), mean_weight=0.3).tolist() == [0, 0]
    torch.testing.assert_close(style_distance(nothing, target_of(found), mean_weight=0.3), torch.tensor([1.3, 1.3]))
