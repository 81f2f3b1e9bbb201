import pytest
import torch

from brushnet.baselines.bands import join, split


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (1, 9), (3, 2)])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_bands_sum_to_the_picture(size, count):
    picture = torch.rand(1, 3, *size)
    bands = split(picture, count)
    assert len(bands) == count
    torch.testing.assert_close(join(bands), picture, atol=1e-6, rtol=0)


def test_each_band_is_half_as_large_as_the_one_before():
    sizes = [tuple(band.shape[-2:]) for band in split(torch.rand(1, 3, 37, 50), 3)]
    assert sizes == [(37, 50), (19, 25), (10, 13)]


def test_a_flat_picture_has_nothing_but_its_coarsest_band():
    *fine, coarsest = split(torch.full((1, 3, 40, 40), 0.3), 3)
    assert max(band.abs().max() for band in fine) < 1e-6
    torch.testing.assert_close(coarsest, torch.full_like(coarsest, 0.3))


@pytest.mark.parametrize(("wave_px", "level"), [(2.5, 0), (6, 1), (12, 2)])
def test_a_wave_lies_in_the_band_of_its_length(wave_px, level):
    wave = (torch.arange(96) * 2 * torch.pi / wave_px).sin().expand(1, 3, 96, 96)
    energies = [float(band.square().mean()) for band in split(wave, 4)]
    assert max(range(4), key=energies.__getitem__) == level
