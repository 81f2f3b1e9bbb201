import pytest
import torch

from brushnet.baselines.moments import match_moments, transfer
from brushnet.losses import covariance, energy
from brushnet.lossnet import LossNetwork

LAYERS = ["relu1_1", "relu2_1", "relu3_1"]


def feats(seed: int, channels: int = 6, size: tuple[int, int] = (16, 20)) -> torch.Tensor:
    """Correlated and skewed."""
    generator = torch.Generator().manual_seed(seed)
    mixture = torch.randn(channels, channels, generator=generator)
    return (mixture @ torch.randn(channels, size[0] * size[1], generator=generator)).exp().log1p().view(1, -1, *size)


def style_gap(picture: torch.Tensor, painting: torch.Tensor, lossnet: LossNetwork, layer: str) -> float:
    found, wanted = (covariance(lossnet.features(each, [layer])[layer]) for each in (picture, painting))
    return float(energy(found - wanted) / energy(wanted))


def test_means_and_covariances_match_whatever_the_sizes():
    wanted = feats(1, size=(9, 31))
    moved = match_moments(feats(0), wanted)
    assert moved.shape == (1, 6, 16, 20)
    torch.testing.assert_close(moved.mean(dim=(2, 3)), wanted.mean(dim=(2, 3)), atol=1e-5, rtol=1e-4)
    assert energy(covariance(moved) - covariance(wanted)) < 1e-5 * energy(covariance(wanted))


def test_the_map_moves_features_less_than_whitening_and_colouring():
    def root(matrix):
        values, vectors = torch.linalg.eigh(matrix)
        return vectors @ values.clamp_min(1e-9).sqrt().diag() @ vectors.mT

    plain, wanted = feats(0), feats(1)
    centred = (plain - plain.mean(dim=(2, 3), keepdim=True))[0].flatten(1)
    recoloured = root(covariance(wanted)[0]) @ torch.linalg.inv(root(covariance(plain)[0])) @ centred
    recoloured = recoloured.view(plain.shape) + wanted.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(covariance(recoloured), covariance(wanted), atol=1e-3, rtol=1e-3)
    assert (match_moments(plain, wanted) - plain).square().mean() < (recoloured - plain).square().mean()


def test_features_with_the_wanted_moments_stay():
    torch.testing.assert_close(match_moments(feats(0), feats(0)), feats(0), atol=1e-5, rtol=1e-4)
    turned = feats(0).flip(-1)
    torch.testing.assert_close(match_moments(feats(0), turned), feats(0), atol=1e-5, rtol=1e-4)


def test_where_the_painting_stands_does_not_matter(photo, painting):
    torch.testing.assert_close(
        match_moments(photo, painting), match_moments(photo, painting.roll(7, -1)), atol=1e-5, rtol=1e-4
    )


def test_features_without_variance_take_the_mean_and_stay_finite():
    moved = match_moments(torch.full((1, 6, 4, 4), 2.0), feats(1))
    torch.testing.assert_close(moved, feats(1).mean(dim=(2, 3), keepdim=True).expand(moved.shape), atol=1e-4, rtol=0)
    assert match_moments(feats(1), torch.zeros(1, 6, 4, 4)).abs().max() < 0.1


def test_the_picture_takes_the_moments_of_every_layer_not_of_colour_alone(photo, painting, tiny_lossnet):
    recoloured = match_moments(photo, painting).clamp(0, 1)
    found = transfer(photo, painting, lossnet=tiny_lossnet, layers=LAYERS, iterations=60)
    assert found.shape == photo.shape
    assert 0 <= found.min() <= found.max() <= 1
    for layer in LAYERS:
        gap = style_gap(found, painting, tiny_lossnet, layer)
        assert gap < 0.6 * style_gap(recoloured, painting, tiny_lossnet, layer)


def test_a_painting_given_itself_stays(painting, tiny_lossnet):
    found = transfer(painting, painting, lossnet=tiny_lossnet, layers=LAYERS, iterations=12)
    assert (found - painting).abs().mean() < 0.01


@pytest.mark.parametrize("iterations", [2, 7, 9])
def test_iterations_are_shared_by_the_layers(photo, painting, tiny_lossnet, iterations):
    said = []
    transfer(photo, painting, lossnet=tiny_lossnet, layers=LAYERS, iterations=iterations, progress=said.append)
    assert len(said) == iterations


def test_the_order_in_which_layers_are_named_does_not_matter(photo, painting, tiny_lossnet):
    one, other = (
        transfer(photo, painting, lossnet=tiny_lossnet, layers=layers, iterations=6)
        for layers in (LAYERS, LAYERS[::-1])
    )
    assert torch.equal(one, other)
