import pytest
import torch

from brushnet.inference import strips
from brushnet.inference.strips import overwrite


@pytest.mark.parametrize("strip_pixels", [1, 7, 24, 1000])
def test_strips_give_what_the_whole_gives(monkeypatch, strip_pixels):
    monkeypatch.setattr(strips, "STRIP_PIXELS", strip_pixels)
    first, second = torch.arange(48.0).view(2, 1, 8, 3), torch.ones(2, 1, 8, 3)
    expected = first * 2 + second
    assert overwrite(first, lambda one, other: one * 2 + other, second) is first
    assert torch.equal(first, expected)


def test_a_strip_has_a_row_at_least_and_pixels_no_more_than_it_may(monkeypatch):
    monkeypatch.setattr(strips, "STRIP_PIXELS", 12)
    heights = [strip.shape[2] for (strip,) in strips.strips(torch.zeros(2, 3, 5, 3))]
    assert heights == [2, 2, 1]
    assert all(strip.shape[2] == 1 for (strip,) in strips.strips(torch.zeros(1, 3, 4, 100)))
