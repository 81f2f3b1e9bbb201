"""Conditional instance norm gives what its definition says, however it is computed."""

import pytest
import torch
from torch.nn import functional as F

from brushnet.nets.norm import conditional_instance_norm, feature_moments, normed_with_moments

FORMATS = pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=["first", "last"])
AFFINES = pytest.mark.parametrize("size", [(1, 1), (3, 2)], ids=["number", "map"])


def by_definition(feats, affine):
    var, mean = torch.var_mean(feats, dim=(2, 3), keepdim=True, correction=0)
    scale, shift = (F.interpolate(value, feats.shape[-2:], mode="bilinear") for value in affine)
    return (feats - mean) / (var + 1e-5).sqrt() * scale + shift, (mean, var)


def given(memory, size, rows=3, dtype=torch.float64):
    feats = (torch.randn(3, 5, 12, 10, dtype=dtype) * 3 + 40).to(memory_format=memory).requires_grad_()
    return feats, [torch.randn(rows, 5, *size, dtype=dtype, requires_grad=True) for _ in range(2)]


@FORMATS
@AFFINES
def test_features_are_normed_by_their_own_moments(memory, size):
    feats, affine = given(memory, size, dtype=torch.float32)
    found, moments = normed_with_moments(feats, affine)
    expected, own = by_definition(feats, affine)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    for one, other in zip(moments, own, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@FORMATS
@AFFINES
@pytest.mark.parametrize("rows", [3, 1])
def test_gradients_are_those_of_the_definition(memory, size, rows, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)  # in double precision
    feats, affine = given(memory, size, rows)
    found, expected = conditional_instance_norm(feats, affine), by_definition(feats, affine)[0]
    upstream = torch.randn_like(found)
    for one, other in zip(*(torch.autograd.grad(each, [feats, *affine], upstream) for each in (found, expected)),
                          strict=True):  # fmt: skip
        torch.testing.assert_close(one, other)


@FORMATS
def test_moments_are_those_that_features_are_normed_by(memory):
    feats, affine = given(memory, (1, 1), dtype=torch.float32)
    found, moments = normed_with_moments(feats.detach(), affine)
    torch.testing.assert_close(conditional_instance_norm(feats, affine, moments=moments), found, atol=1e-4, rtol=1e-4)
    for one, other in zip(moments, feature_moments(feats.detach()), strict=True):
        torch.testing.assert_close(one, other)


@FORMATS
def test_features_of_one_colour_become_the_shift(memory):
    feats = torch.full((2, 3, 20, 20), 1 / 3).to(memory_format=memory) * torch.tensor([1.0, -30, 700]).view(1, 3, 1, 1)
    scale, shift = torch.full((1, 3, 1, 1), 2.0), torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    torch.testing.assert_close(conditional_instance_norm(feats, (scale, shift)), shift.expand_as(feats), rtol=0, atol=0)


@FORMATS
def test_a_large_picture_with_a_bright_corner_loses_no_digits(memory):
    feats = torch.randn(1, 3, 1500, 1000) + 5
    feats[..., :3, :3] += 100
    affine = torch.full((1, 3, 1, 1), 2.0), torch.full((1, 3, 1, 1), 0.5)
    expected, exact = by_definition(feats.double(), [each.double() for each in affine])
    feats = feats.to(memory_format=memory)
    for one, other in zip(feature_moments(feats), exact, strict=True):
        torch.testing.assert_close(one, other.float(), atol=0, rtol=2e-4)
    torch.testing.assert_close(conditional_instance_norm(feats, affine), expected.float(), atol=1e-3, rtol=1e-3)


def test_a_large_picture_of_one_colour_becomes_the_shift():
    feats = torch.full((1, 2, 900, 900), 1 / 3).to(memory_format=torch.channels_last)
    assert conditional_instance_norm(feats, (torch.ones(1, 2, 1, 1), torch.full((1, 2, 1, 1), 0.25))).eq(0.25).all()


def test_gradients_are_summed_in_float32_where_training_is_in_bfloat16():
    feats, affine = given(torch.channels_last, (1, 1), dtype=torch.float32)
    upstream = torch.randn_like(feats)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            found.append(torch.autograd.grad(conditional_instance_norm(feats, affine), [feats, *affine], upstream))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
