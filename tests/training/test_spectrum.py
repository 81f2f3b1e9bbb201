import math

import pytest
import torch

from brushnet.strokes import StrokeRange
from brushnet.training.spectrum import BANDS, FLOOR, SpectrumTarget, band_energies


def noise(px: int) -> torch.Tensor:
    return torch.rand(1, 3, px, px, generator=torch.Generator().manual_seed(0))


def test_energies_grow_with_the_square_of_the_contrast_and_do_not_know_brightness():
    blocks = torch.nn.functional.interpolate(noise(8), size=128)
    picture = (blocks + noise(128)) / 2  # far above the floor in every band
    found = band_energies(picture)
    assert found.shape == (1, BANDS, 3)
    quarter = torch.full((1, BANDS, 3), -4 * math.log(2))
    torch.testing.assert_close(band_energies(0.5 + picture / 4) - found, quarter, atol=0.3, rtol=0)


def test_a_picture_twice_as_large_has_its_energies_an_octave_coarser():
    picture = torch.nn.functional.avg_pool2d(noise(512), 4)
    larger = torch.nn.functional.interpolate(picture, scale_factor=2.0, mode="bilinear")
    found, of_larger = band_energies(picture)[0, :, 0], band_energies(larger)[0, :, 0]
    assert of_larger[0] < found[0] - 1  # nothing is as fine any more
    torch.testing.assert_close(of_larger[2:], found[1:-1], atol=0.6, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (31, 32), (128, 128)])
def test_any_size_and_a_flat_picture_give_numbers(size):
    picture = torch.full((2, 3, *size), 0.3, requires_grad=True)
    band_energies(picture).sum().backward()
    assert picture.grad is not None
    assert picture.grad.isfinite().all()


def test_bands_that_a_picture_is_too_small_for_are_at_the_floor():
    found = band_energies(noise(4))[0]
    assert found[:2].min() > math.log(FLOOR) + 1
    torch.testing.assert_close(found[2:], torch.full((BANDS - 2, 3), math.log(FLOOR)))


def test_bands_off_by_a_factor_e_are_at_the_distance_that_the_docstring_names(small_painting):
    target = SpectrumTarget([small_painting], StrokeRange(1.0, 1.0, "fixed"), step_octaves=0.5)
    target.energies = target.energies + 1
    distance = target.distance(small_painting.render(1.0), torch.zeros(1), torch.zeros(1, dtype=torch.long))
    assert float(distance) == pytest.approx(0.53, abs=0.005)


def test_the_painting_itself_is_at_no_distance_and_other_scales_are(small_painting):
    target = SpectrumTarget([small_painting], StrokeRange(0.5, 2.0), step_octaves=0.5)
    one, style = torch.zeros(1), torch.zeros(1, dtype=torch.long)
    rendered = {octaves: small_painting.render(2.0**octaves) for octaves in (-1.0, 0.0, 1.0)}
    at_own = [float(target.distance(picture, torch.tensor([o]), style)) for o, picture in rendered.items()]
    assert max(at_own) < 1e-8
    assert float(target.distance(rendered[1.0], one, style)) > 1e-2
    assert float(target.distance(rendered[-1.0], one, style)) > 1e-2


def test_between_two_scales_the_target_lies_between(small_painting):
    target = SpectrumTarget([small_painting], StrokeRange(0.5, 2.0), step_octaves=1.0)
    styles = torch.zeros(3, dtype=torch.long)
    low, middle, high = target._wanted(torch.tensor([0.0, 0.25, 1.0]), styles)
    torch.testing.assert_close(middle, 0.75 * low + 0.25 * high)


def test_each_sample_is_compared_with_its_own_painting_and_a_fixed_scale_has_one_row(small_painting):
    other = type(small_painting)(
        255 - small_painting.pixels // 4, name="pale", reference_px=small_painting.reference_px
    )
    target = SpectrumTarget([small_painting, other], StrokeRange(1.0, 1.0, "fixed"), step_octaves=0.25)
    pictures = [painting.render(1.0) for painting in (small_painting, other)]
    for index, picture in enumerate(pictures):
        distance = target.distance(picture.expand(2, -1, -1, -1), torch.zeros(2), torch.tensor([0, 1]))
        assert distance[index] < 1e-8
        assert distance[1 - index] > 1e-2
