"""Strength: the photo at 0, the painting at 1, strokes before colours in between, more contrast beyond."""

import pytest
import torch

from brushnet import seeds
from brushnet.inference.strength import LAYOUT_PX, at_strength


def picture(name: str, *, size: tuple[int, int] = (45, 70), low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    noise = torch.from_numpy(seeds.rng(0, name).uniform(low, high, size=(2, 3, *size)))
    return noise.float()


def fine(image: torch.Tensor) -> torch.Tensor:
    """What a stroke is made of: differences of neighbours."""
    return image.diff(dim=-1)


SIZES = [(1, 1), (1, 40), (3, 2), (45, 70), (300, 17)]


@pytest.mark.parametrize("size", SIZES)
def test_nought_is_the_photo_and_one_the_painting_bit_by_bit(size):
    photo, painting = picture("photo", size=size), picture("painting", size=size)
    assert torch.equal(at_strength(photo, painting, 0.0), photo)
    assert torch.equal(at_strength(photo, painting, 1.0), painting)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("strength", [0.01, 0.5, 1.2, 1.5])
def test_any_size_stays_in_range_and_neither_picture_is_written_to(size, strength):
    photo, painting = picture("photo", size=size), picture("painting", size=size)
    kept = photo.clone(), painting.clone()
    mixed = at_strength(photo, painting, strength)
    assert mixed.shape == photo.shape
    assert 0 <= mixed.min() <= mixed.max() <= 1
    assert torch.equal(photo, kept[0])
    assert torch.equal(painting, kept[1])


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_it_is_continuous_at_photo_and_painting(strength):
    photo, painting = picture("photo"), picture("painting")
    at = at_strength(photo, painting, strength)
    for nearby in {max(0.0, strength - 1e-3), strength + 1e-3}:
        assert (at_strength(photo, painting, nearby) - at).abs().max() < 0.01


def test_the_photo_recedes_and_strokes_gain_contrast_with_every_step():
    photo, painting = picture("photo", low=0.2, high=0.8), picture("painting", low=0.2, high=0.8)
    strengths = [step / 20 for step in range(31)]
    mixed = [at_strength(photo, painting, strength) for strength in strengths]
    from_photo = [float((each - photo).abs().mean()) for each in mixed]
    of_strokes = [float((fine(each) * fine(painting)).mean()) for each in mixed]
    assert from_photo == sorted(from_photo)
    assert of_strokes == sorted(of_strokes)


def test_at_one_half_strokes_are_there_colours_half_and_the_photos_detail_is_gone():
    photo = 0.7 + 0.2 * (picture("photo", size=(96, 96)) - 0.5)
    painting = 0.3 + 0.2 * (picture("painting", size=(96, 96)) - 0.5)
    mixed = at_strength(photo, painting, 0.5)
    assert mixed.mean() == pytest.approx(0.5, abs=0.01)
    energy = float(fine(painting).square().mean())
    assert float((fine(mixed) * fine(painting)).mean()) == pytest.approx(0.875 * energy, rel=0.03)
    assert float((fine(mixed) * fine(photo)).mean()) == pytest.approx(0.125 * energy, rel=0.2)


def test_a_painting_equal_to_the_photo_stays_up_to_one():
    photo = picture("photo")
    for strength in (0.0, 0.3, 0.9, 1.0):
        torch.testing.assert_close(at_strength(photo, photo.clone(), strength), photo, atol=1e-6, rtol=0)


def test_beyond_one_nothing_bright_or_dark_becomes_flat():
    bright = 0.9 + 0.1 * picture("painting", size=(64, 64))
    for painting in (bright, 1 - bright):
        mixed = at_strength(torch.full_like(painting, 0.5), painting, 1.5)
        assert ((mixed <= 0) | (mixed >= 1)).float().mean() < 0.001
        order = painting.flatten().argsort()
        assert fine(mixed).abs().mean() > fine(painting).abs().mean()
        assert torch.corrcoef(torch.stack([painting.flatten()[order], mixed.flatten()[order]]))[0, 1] > 0.98


def test_beyond_one_colours_stay_those_of_the_painting_whatever_the_photo():
    painting = picture("painting", low=0.3, high=0.7)
    mixed = at_strength(torch.zeros_like(painting), painting, 1.5)
    assert torch.equal(mixed, at_strength(torch.ones_like(painting), painting, 1.5))
    torch.testing.assert_close(mixed.mean(dim=(2, 3)), painting.mean(dim=(2, 3)), atol=0.01, rtol=0)


def test_flat_pictures_give_flat_blends():
    photo, painting = torch.full((1, 3, 3 * LAYOUT_PX, 40), 0.2), torch.full((1, 3, 3 * LAYOUT_PX, 40), 0.6)
    torch.testing.assert_close(at_strength(photo, painting, 0.25), torch.full_like(photo, 0.3))
    torch.testing.assert_close(at_strength(photo, painting, 1.5), painting)
