import pytest
import torch
from torch import Tensor

from brushnet.measure.fine_detail import detail_decibels, octave_energies
from brushnet.measure.flow import blur
from brushnet.seeds import rng


def noise(*, seed: int = 0, side: int = 128, strength: float = 0.1) -> Tensor:
    draws = torch.from_numpy(rng(seed, "test detail").standard_normal((1, 1, side, side), dtype="float32"))
    return 0.5 + strength * draws.expand(1, 3, side, side)


def test_twice_the_contrast_is_six_decibels_in_every_octave() -> None:
    assert detail_decibels(noise(strength=0.2), noise(strength=0.1)) == pytest.approx([6.02, 6.02], abs=0.01)


def test_smoothing_takes_the_finest_octave_first() -> None:
    finest, following = detail_decibels(blur(noise(), 0.8), noise())
    assert finest < following < -1


def test_pictures_of_other_sizes_can_be_compared() -> None:
    assert detail_decibels(noise(side=256, seed=1), noise(side=96)) == pytest.approx([0, 0], abs=0.5)


def test_the_octaves_of_white_noise_are_frames_of_the_spectrum() -> None:
    finest, following = octave_energies(noise(side=256))
    assert finest == pytest.approx(0.75 * 0.01, rel=0.05)
    assert following == pytest.approx(0.25 * 0.75 * 0.01, rel=0.1)


def test_brightness_and_slow_changes_are_no_detail() -> None:
    ramp = torch.linspace(0, 1, 128).expand(1, 3, 128, 128)
    assert max(octave_energies(ramp)) < 1e-6
    assert max(octave_energies(torch.full((1, 3, 64, 64), 0.7))) < 1e-12
