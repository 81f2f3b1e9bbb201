import pytest
import torch

from brushnet.baselines.bands import split
from brushnet.baselines.pyramid import blend, paint_scales


def stripes(wave_px: float, size: int = 96) -> torch.Tensor:
    return 0.5 + 0.4 * (torch.arange(size) * 2 * torch.pi / wave_px).sin().expand(1, 3, size, size)


def paint_stripes(picture: torch.Tensor) -> torch.Tensor:
    """Strokes of 6 px, whatever is depicted."""
    return stripes(6, picture.shape[-1])


def energies(picture: torch.Tensor) -> list[float]:
    return [float(band.square().mean()) for band in split(picture, 4)]


def test_weights_of_zero_give_the_photo_itself():
    photo = torch.rand(1, 3, 61, 47)
    assert torch.equal(paint_scales(photo, {1.0: 0.0, 2.0: 0.0}, paint_stripes), photo)


def test_one_scale_with_weight_one_gives_what_was_painted():
    photo = torch.rand(1, 3, 96, 96)
    torch.testing.assert_close(paint_scales(photo, {1.0: 1.0}, paint_stripes), stripes(6), atol=1e-6, rtol=0)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
def test_a_painter_that_paints_nothing_new_changes_nothing(weight, scale):
    photo = torch.rand(1, 3, 61, 47)
    torch.testing.assert_close(blend(photo, photo, scale=scale, weight=weight), photo, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("scale", "level"), [(1.0, 1), (2.0, 2), (0.5, 0)])
def test_strokes_are_as_large_as_their_scale(scale, level):
    found = energies(paint_scales(torch.full((1, 3, 96, 96), 0.5), {scale: 1.0}, paint_stripes))
    assert max(range(3), key=found.__getitem__) == level


def test_a_coarse_scale_leaves_the_fine_bands_of_the_photo():
    photo = stripes(2.5)
    found, before = energies(paint_scales(photo, {4.0: 1.0}, paint_stripes)), energies(photo)
    assert found[0] == pytest.approx(before[0], rel=0.2)  # neighbouring bands overlap
    assert found[3] > before[3]


def test_scales_are_painted_from_coarse_to_fine_each_on_the_one_before():
    seen = []

    def paint(picture):
        seen.append(picture)
        return picture * 0.5

    paint_scales(torch.full((1, 3, 64, 96), 0.8), {1.0: 1.0, 4.0: 1.0, 2.0: 0.0}, paint)
    assert [tuple(each.shape[-2:]) for each in seen] == [(16, 24), (64, 96)]
    assert [float(each.mean()) for each in seen] == pytest.approx([0.8, 0.4], abs=1e-3)


def test_the_mean_of_unlike_bands_keeps_their_energy():
    one, other = stripes(6), stripes(6).roll(3, -1)  # opposite: their plain mean is flat but for rounding
    other = other.lerp(stripes(6).roll(1, -1), 0.3)
    mixed = blend(one, other, scale=1.0, weight=0.5)
    plain = one.lerp(other, 0.5)
    assert energies(plain)[1] < 0.5 * energies(mixed)[1]
    assert energies(mixed)[1] == pytest.approx((energies(one)[1] + energies(other)[1]) / 2, rel=0.3)
