"""The photo's colours on the painting's strokes: by luminance and by the distribution of colours."""

import pytest
import torch

from brushnet import seeds
from brushnet.inference import colour
from brushnet.inference.colour import MOST_GAIN, WAYS, with_histogram, with_luminance

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def picture(name: str, *, size: tuple[int, int] = (40, 50), low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    """Two pictures of correlated colours."""
    noise = torch.from_numpy(seeds.rng(0, name).uniform(size=(2, 3, *size))).float()
    mixture = torch.from_numpy(seeds.rng(1, name).dirichlet([0.5] * 3, size=3)).float()
    return low + (high - low) * torch.einsum("ij,bjhw->bihw", (torch.eye(3) + mixture) / 2, noise)


def luma(image: torch.Tensor) -> torch.Tensor:
    return (image * LUMA).sum(dim=1, keepdim=True)


def moments(image_3HW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = image_3HW.flatten(1).double()
    return pixels.mean(dim=1), pixels.cov(correction=0)


@ways
def test_a_painting_equal_to_the_photo_stays(way):
    photo = picture("photo")
    torch.testing.assert_close(way(photo, photo.clone()), photo, atol=2e-6, rtol=0)


@ways
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (2, 3), (700, 500)])
def test_any_size_stays_in_range_and_neither_picture_is_written_to(way, size):
    photo, painting = picture("photo", size=size), picture("painting", size=size)
    kept = photo.clone(), painting.clone()
    coloured = way(photo, painting)
    assert coloured.shape == photo.shape
    assert 0 <= coloured.min() <= coloured.max() <= 1
    assert torch.equal(photo, kept[0])
    assert torch.equal(painting, kept[1])


@ways
def test_grey_photos_give_grey_paintings(way):
    photo = picture("photo")[:, :1].expand(-1, 3, -1, -1)
    coloured = way(photo, picture("painting"))
    assert (coloured - luma(coloured)).abs().max() < 2e-3


@ways
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_photos_and_paintings_of_one_colour_give_no_nan_and_no_new_colour(way, value):
    flat, strokes = torch.full((2, 3, 12, 9), value), picture("painting", size=(12, 9))
    for photo, painting in [(flat, strokes), (strokes, flat), (flat, flat)]:
        coloured = way(photo, painting)
        assert coloured.isfinite().all()
        most = (photo - luma(photo)).abs().max()
        assert (coloured - luma(coloured)).abs().max() <= most + 2e-3


def test_luminance_is_the_paintings_everywhere():
    photo, painting = picture("photo"), picture("painting")
    torch.testing.assert_close(luma(with_luminance(photo, painting)), luma(painting), atol=2e-6, rtol=0)


def test_where_rgb_has_it_the_chroma_is_the_photos():
    photo, painting = picture("photo", low=0.4, high=0.6), picture("painting", low=0.3, high=0.7)
    coloured = with_luminance(photo, painting)
    torch.testing.assert_close(coloured - luma(coloured), photo - luma(photo), atol=1e-6, rtol=0)


def test_where_rgb_has_it_not_the_hue_is_the_photos_and_a_channel_is_at_its_end():
    red = torch.tensor([0.9, 0.1, 0.2]).view(1, 3, 1, 1)
    for level in (0.05, 0.9):
        coloured = with_luminance(red, torch.full((1, 3, 1, 1), level))
        assert float(luma(coloured)) == pytest.approx(level, abs=1e-5)
        found, wanted = (each - luma(each) for each in (coloured, red))
        assert float(torch.cosine_similarity(found, wanted, dim=1)) == pytest.approx(1, abs=1e-5)
        assert min(float(coloured.min()), 1 - float(coloured.max())) == pytest.approx(0, abs=1e-5)


def test_strokes_that_differ_in_colour_alone_vanish_by_luminance_and_stay_by_histogram():
    photo = picture("photo")[:1]
    painting = torch.full_like(photo, 0.5)
    painting[..., ::2] += torch.tensor([0.3, -0.3 * 0.299 / 0.587, 0.0]).view(1, 3, 1, 1)
    assert float(luma(painting).std()) < 1e-6
    by_luminance, by_histogram = with_luminance(photo, painting), with_histogram(photo, painting)
    assert float(luma(by_luminance).std()) < 1e-5
    assert float(by_histogram.diff(dim=-1).abs().mean()) > 0.05


def test_histogram_takes_mean_and_covariance_of_each_photo(monkeypatch):
    monkeypatch.setattr(colour, "_within_gamut", lambda rgb: rgb)
    photo, painting = picture("photo"), picture("painting", size=(33, 71))
    photo = photo[..., :33, :]
    for index, moved in enumerate(with_histogram(photo, painting[..., :50])):
        for found, wanted in zip(moments(moved), moments(photo[index]), strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-3)


def test_the_map_to_the_photos_moments_is_symmetric_it_turns_no_colours(monkeypatch):
    monkeypatch.setattr(colour, "_within_gamut", lambda rgb: rgb)
    photo, painting = picture("photo")[:1], picture("painting")[:1]
    moved, before = (each[0].flatten(1).double() for each in (with_histogram(photo, painting), painting))
    centred = [each - each.mean(dim=1, keepdim=True) for each in (moved, before)]
    found_33 = centred[0] @ torch.linalg.pinv(centred[1])
    torch.testing.assert_close(found_33, found_33.mT, atol=1e-4, rtol=0)


def test_the_rounding_of_a_grey_painting_does_not_become_colour():
    photo = picture("photo")[:1]
    grey = picture("painting")[:1, :1].expand(-1, 3, -1, -1)
    painting = (grey + 0.001 * picture("rounding")[:1]).clamp(0, 1)
    coloured = with_histogram(photo, painting)
    chroma = (coloured - coloured.mean(dim=(2, 3), keepdim=True)).sub_(luma(coloured) - luma(coloured).mean())
    assert float((photo - luma(photo)).std()) > 0.05
    assert float(chroma.std()) < MOST_GAIN * 0.002


def test_a_batch_is_coloured_picture_by_picture():
    photo, painting = picture("photo"), picture("painting")
    for way in WAYS.values():
        alone = torch.cat([way(photo[i : i + 1], painting[i : i + 1]) for i in range(2)])
        torch.testing.assert_close(way(photo, painting), alone)
