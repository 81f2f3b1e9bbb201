"""Light that wavers is evened out; things that pass and slow changes are not."""

import math

import pytest
import torch

from brushnet.inference.video.light import MOST, Light


@pytest.fixture
def picture() -> torch.Tensor:
    """(3, H, W) in levels up to 180."""
    rows, columns = torch.arange(96).view(-1, 1), torch.arange(128)
    return torch.stack([90 + 80 * (rows / 9 + shift).sin() * (columns / 13).cos() for shift in (0, 1, 2)])


def gains(frames, *, step_s=0.04, cuts=(0,)) -> list[float]:
    light = Light()
    return [
        light(frame.clamp(0, 255).to(torch.uint8), number * step_s, cut=number in cuts)
        for number, frame in enumerate(frames)
    ]


def test_frame_that_is_brighter_than_those_around_it_is_made_as_bright(picture):
    made = gains([picture, picture, 1.1 * picture, picture, 0.93 * picture])
    assert made == pytest.approx([1, 1, 1 / 1.1, 1, 1 / 0.93], rel=0.015)


def test_thing_that_passes_is_no_change_of_light(picture):
    with_thing = picture.clone()
    with_thing[:, 20:, 40:100] = 250
    assert gains([picture, with_thing, picture, with_thing]) == pytest.approx([1] * 4, abs=0.01)


def test_light_that_stays_changed_is_no_longer_evened_out_after_a_while(picture):
    made = gains([picture, *[1.2 * picture] * 75])  # three seconds
    assert made[1] == pytest.approx(1 / 1.2, rel=0.02)
    assert made[-1] == pytest.approx(1, abs=0.015)


def test_gain_has_a_limit_and_a_cut_begins_anew(picture):
    made = gains([0.5 * picture, 1.4 * picture, 0.5 * picture], cuts=(0, 2))
    assert made == pytest.approx([1, math.exp(-MOST), 1])


def test_black_frames_have_no_light_to_even_out(picture):
    assert gains([0 * picture, 0 * picture, picture, 0 * picture]) == [1, 1, 1, 1]
