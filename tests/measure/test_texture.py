import pytest
import torch
from torch import Tensor

from brushnet.measure.texture import NetworkTexture, over_tiles, tiles


def test_a_tile_is_the_mean_of_its_cells() -> None:
    map_CHW = torch.arange(48.0).view(1, 6, 8)
    found = over_tiles(map_CHW, cells=(3, 4), cells_aside=2)
    assert found.shape == (1, 2 * 3)
    assert found[0, 0] == map_CHW[0, :4, :4].mean()
    assert found[0, -1] == map_CHW[0, 2:, 4:].mean()


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    map_CHW = torch.rand(2, 5, 7)
    assert over_tiles(map_CHW, cells=(2, 3), cells_aside=4).allclose(map_CHW.mean(dim=(1, 2))[:, None])


def test_tiles_begin_at_every_step(encode) -> None:
    texture = NetworkTexture(encode, ("one", "two"))
    found = tiles(texture, texture.maps(torch.rand(1, 3, 128, 192)), (128, 192), tile_px=64, steps=4)
    assert found["one"].shape == ((128 // 16 - 3) * (192 // 16 - 3), 12)
    assert found["two"].shape[1] == 24


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
    assert torch.allclose(plain, changed, atol=0.01)
    assert torch.allclose(plain.norm(dim=1), torch.ones(1))


def test_a_quarter_turn_changes_nothing_where_it_only_swaps_what_is_averaged() -> None:
    texture = NetworkTexture(edges, ("edges",))
    lines = torch.rand(1, 3, 1, 64, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 64, -1)
    plain, turned = (
        tiles(texture, texture.maps(each), (64, 64), tile_px=64, steps=1)["edges"]
        for each in (lines, lines.rot90(dims=(-2, -1)))
    )
    assert torch.allclose(plain, turned, atol=1e-5)


def test_the_deepest_layer_counts_most(encode) -> None:
    weights = NetworkTexture(encode, ("one", "two")).weights
    assert weights["two"] > weights["one"]
