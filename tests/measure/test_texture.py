import pytest
import torch
from torch import Tensor

from brushnet.losses import covariance
from brushnet.measure.texture import NetworkTexture, over_tiles, tiles


def test_a_tile_is_the_mean_of_its_cells() -> None:
    map_CHW = torch.arange(48.0).view(1, 6, 8)
    found = over_tiles(map_CHW, size_px=(60, 80), tile_px=40, steps=2)
    assert found.shape == (1, 2 * 3)
    assert found[0, 0] == map_CHW[0, :4, :4].mean()
    assert found[0, -1] == map_CHW[0, 2:, 4:].mean()


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    map_CHW = torch.rand(2, 4, 6)
    assert over_tiles(map_CHW, size_px=(4, 6), tile_px=8, steps=4).allclose(map_CHW.mean(dim=(1, 2))[:, None])


def test_tiles_begin_at_every_step(encode) -> None:
    texture = NetworkTexture(encode, ("one", "two"))
    found = tiles(texture, texture.maps(torch.rand(1, 3, 128, 192)), (128, 192), tile_px=64, steps=4)
    assert found["one"].shape == ((128 // 16 - 3) * (192 // 16 - 3), 12 * 13 / 2)
    assert found["two"].shape[1] == 16 * 17 / 2  # of 24 channels 16 directions


def edges(picture_B3HW: Tensor) -> dict[str, Tensor]:
    across, down = picture_B3HW.diff(dim=-1)[..., 1:, :], picture_B3HW.diff(dim=-2)[..., 1:]
    return {"edges": torch.cat([across, down], dim=1).abs()}


@pytest.mark.parametrize("change", [lambda p: p.flip(-1), lambda p: p.rot90(2, (-2, -1)), lambda p: 0.5 * p + 0.2])
def test_what_a_network_answers_alike_is_described_alike_whatever_the_contrast(change) -> None:
    texture = NetworkTexture(edges, ("edges",))
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    plain, changed = (
        tiles(texture, texture.maps(each), (64, 64), tile_px=64, steps=1)["edges"]
        for each in (picture, change(picture))
    )
    assert torch.allclose(plain, changed, atol=0.02)
    assert torch.allclose(plain.norm(dim=1), torch.ones(1))


def test_distances_are_those_of_the_whole_covariance_matrices(encode) -> None:
    """Where every channel is taken: directions are orthogonal, and turning a basis moves nothing apart."""
    texture = NetworkTexture(encode, ("one",))
    pictures = [
        torch.rand(1, 3, 60, 60, generator=torch.Generator().manual_seed(seed)) ** (1 + seed) for seed in (0, 1)
    ]
    described = [tiles(texture, texture.maps(each), (60, 60), tile_px=64, steps=1)["one"] for each in pictures]
    whole = [
        covariance(encode(each)["one"]) + covariance(encode(each.rot90(dims=(-2, -1)))["one"]) for each in pictures
    ]
    first, second = (each / each.norm() for each in whole)
    assert (described[0] - described[1]).norm() == pytest.approx(float((first - second).norm()), rel=1e-3)


def test_the_deepest_layer_counts_most(encode) -> None:
    weights = NetworkTexture(encode, ("one", "two")).weights
    assert weights["two"] > weights["one"]
