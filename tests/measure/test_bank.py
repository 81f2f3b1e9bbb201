import pytest
import torch
from torch import Tensor

from brushnet.measure.bank import LEVELS, SteerableTexture
from brushnet.measure.painter import noise_photo, paint
from brushnet.measure.texture import tiles


@pytest.fixture(scope="module")
def texture() -> SteerableTexture:
    return SteerableTexture()


@pytest.fixture(scope="module", params=[(160, 196), (161, 195)], ids=["even", "odd"])
def picture(request: pytest.FixtureRequest) -> Tensor:
    return 0.15 + 0.7 * paint(noise_photo(*request.param), stroke_px=9)


def whole(texture: SteerableTexture, picture: Tensor) -> dict[str, Tensor]:
    height, width = picture.shape[-2:]
    return tiles(texture, texture.maps(picture), (height, width), tile_px=max(height, width), steps=1)


@pytest.mark.parametrize(
    "change",
    [lambda p: p.flip(-1), lambda p: p.flip(-2), lambda p: p.rot90(dims=(-2, -1)), lambda p: p + 0.1],
    ids=["mirrored", "upside down", "turned", "brighter"],
)
def test_flips_quarter_turns_and_brightness_change_nothing(texture: SteerableTexture, picture: Tensor, change) -> None:
    plain, changed = whole(texture, picture), whole(texture, change(picture))
    for group in texture.weights:
        assert torch.allclose(plain[group], changed[group], atol=2e-3, equal_nan=True)


def test_contrast_changes_next_to_nothing(texture: SteerableTexture, picture: Tensor) -> None:
    plain, changed = whole(texture, picture), whole(texture, 0.5 * picture)
    for group in texture.weights:
        assert (plain[group] - changed[group]).abs().nanmean() < 0.01


def test_parallel_lines_are_coherent_and_noise_is_not(texture: SteerableTexture) -> None:
    lines = (0.5 + 0.3 * torch.sin(torch.arange(128.0) * 1.2)).expand(1, 3, 128, 128)
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    straight, wild = (whole(texture, each)["coherence"][0, :3] for each in (lines, noise))
    assert (straight > 0.8).all()
    assert wild[2] < 0.3


def test_a_small_picture_has_the_same_numbers_and_nan_where_it_has_no_level(texture: SteerableTexture) -> None:
    small, large = (
        tiles(texture, texture.maps(torch.rand(1, 3, side, side)), (side, side), tile_px=96, steps=4)
        for side in (48, 400)
    )
    for group in texture.weights:
        assert small[group].shape[1] == large[group].shape[1]
        assert small[group].isnan().any()
    assert not large["coherence"].isnan().any()


@pytest.mark.parametrize("side", [20, 30, 48])
def test_pictures_of_few_levels_are_described(texture: SteerableTexture, side: int) -> None:
    found = tiles(texture, texture.maps(torch.rand(1, 3, side, side)), (side, side), tile_px=64, steps=4)
    assert found["coherence"][:, :3].isfinite().all()
    assert found["energies"][:, :6].isfinite().all()


def test_levels_are_half_an_octave_apart(texture: SteerableTexture) -> None:
    heights = [each.shape[-2] for each in texture.maps(torch.rand(1, 3, 512, 640))[:LEVELS]]
    assert heights == pytest.approx([512 / 2 ** (level / 2) for level in range(LEVELS)], rel=0.02)
