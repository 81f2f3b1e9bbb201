import pytest
import torch

from brushnet import seeds
from brushnet.measure.likeness import oklab, palette, palette_distance, ssim


def picture(index: int = 0, *, px: int = 64) -> torch.Tensor:
    return torch.from_numpy(seeds.rng(index, "test picture").random((1, 3, px, px + 16), dtype="float32"))


def test_a_picture_is_wholly_similar_to_itself() -> None:
    assert ssim(picture(), picture()) == pytest.approx(1, abs=1e-5)


def test_similarity_falls_with_noise_and_is_symmetric() -> None:
    near, far = (picture() + amount * (picture(1) - 0.5) for amount in (0.2, 1.0))
    assert 1 > ssim(near, picture()) > ssim(far, picture()) > ssim(picture(1), picture())
    assert ssim(far, picture()) == pytest.approx(ssim(picture(), far), abs=1e-6)
    assert abs(ssim(picture(1), picture())) < 0.1


def test_similarity_of_flat_pictures_is_that_of_their_brightness() -> None:
    one, other = torch.full((1, 3, 32, 32), 0.4), torch.full((1, 3, 32, 32), 0.6)
    expected = (2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4)  # Wang et al. 2004, eq. 6: the rest is 1
    assert ssim(one, other) == pytest.approx(expected, abs=1e-4)


def test_a_picture_smaller_than_the_window_has_a_similarity_too() -> None:
    assert ssim(picture(px=6), picture(px=6)) == pytest.approx(1, abs=1e-5)


def test_oklab_of_known_colours() -> None:
    white_black_red = torch.tensor([[1.0, 0, 1], [1, 0, 0], [1, 0, 0]])[None]  # one colour a column
    expected = torch.tensor([[1.0, 0, 0.628], [0, 0, 0.2249], [0, 0, 0.1258]])[None]  # Ottosson 2020
    assert torch.allclose(oklab(white_black_red), expected, atol=1e-3)


def test_a_picture_with_its_pixels_in_another_order_has_the_same_palette() -> None:
    one = picture()
    order = torch.from_numpy(seeds.permutation(0, "test order", 0, one[0, 0].numel()))
    mixed = one.flatten(2)[..., order].view_as(one)
    assert palette_distance(palette(one), palette(mixed)) == pytest.approx(0, abs=1e-12)


def test_the_distance_of_two_colours_is_about_their_distance_in_oklab() -> None:
    grey, blue = torch.full((1, 3, 8, 8), 0.5), torch.tensor([0.2, 0.3, 0.7]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    apart = float((oklab(grey) - oklab(blue))[0, :, 0, 0].norm())
    assert palette_distance(palette(grey), palette(blue)) == pytest.approx(apart, rel=0.1)


def test_palettes_are_farther_apart_the_more_of_the_picture_is_recoloured() -> None:
    one = picture()
    distances = []
    for part in (8, 16, 32):
        other = one.clone()
        other[..., :part] = 0
        distances.append(palette_distance(palette(one), palette(other)))
    assert 0 < distances[0] < distances[1] < distances[2]
    assert distances[2] == pytest.approx(4 * distances[0], rel=0.1)


def test_the_palette_of_a_large_picture_is_that_of_a_small_one() -> None:
    small = picture()
    large = small.repeat(1, 1, 8, 8)  # 327,680 pixels: not all are looked at
    assert palette_distance(palette(small), palette(large)) < 0.01
