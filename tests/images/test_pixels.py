"""Bytes, floats and sizes."""

import torch

from brushnet import images


def test_bytes_survive_the_way_through_floats_and_what_lies_outside_is_clamped():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(images.to_uint8(images.to_float(every)), every)
    assert images.to_uint8(torch.tensor([-1.0, 2.0, 0.5 / 255 + 1e-4, 0.5 / 255 - 1e-4])).tolist() == [0, 255, 1, 0]


def test_resize_antialiases_and_keeps_type_and_leading_dimensions():
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    batch = board.to(torch.uint8).expand(2, 5, 3, 64, 64)
    small = images.resize(batch, 8, 9)
    assert small.shape == (2, 5, 3, 8, 9)
    assert small.dtype == torch.uint8
    assert (small.int() - 127).abs().max() <= 3  # without antialiasing it would be black and white
    floats = images.resize(images.to_float(batch), 8, 9)
    assert (images.to_uint8(floats).int() - small.int()).abs().max() <= 1


def test_resize_short_side_keeps_the_aspect_ratio():
    assert images.resize_short_side(torch.zeros(1, 3, 40, 80), 20).shape == (1, 3, 20, 40)
    assert images.resize_short_side(torch.zeros(3, 90, 30), 10).shape == (3, 30, 10)
    assert images.resize_short_side(torch.zeros(3, 1, 300), 1).shape == (3, 1, 300)
