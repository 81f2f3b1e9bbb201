"""Conditional instance norm: features by their own moments, or by those of a whole picture that they are a part of.

Shape letters: B batch, C channels, H W feature size, h w size of the stroke map (1 x 1 for a single number).
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.nets.gpu_norm import GpuNorm

Moments = tuple[Tensor, Tensor]  # mean and variance of the features, each (B or 1, C, 1, 1)
Affine = tuple[Tensor, Tensor]  # scale and shift, each (B or 1, C, h, w)

EPS = 1e-5  # added to a variance before its root is taken
FLAT_VARIANCE = 1e-10  # of what is the same all over but for rounding
# That group norm adds up, one after the other in float32: of more it loses digits, at last all.
MOST_POSITIONS = 1 << 18


class Carried(NamedTuple):
    """Moments of consecutive frames: a mean over those of the batch and those that the frame before it was given.

    So that statistics can be held over a video's time in one pass: `shares`, (B, 1 + B), say how much of `before`
    (each 1, C, 1, 1) and of each frame's own counts for each frame; rows sum to 1.
    """

    before: Moments
    shares: Tensor

    def with_own(self, own: Moments) -> Moments:
        mean, var = (
            torch.einsum("bf,fcij->bcij", self.shares, torch.cat(pair)) for pair in zip(self.before, own, strict=True)
        )
        return mean, var


def conditional_instance_norm(feats_BCHW: Tensor, affine: Affine, *, moments: Moments | None = None) -> Tensor:
    """Instance norm (Ulyanov et al. 2016) with a scale and shift from outside (Dumoulin et al. 2017, section 2.2).

    With `moments` the statistics come from outside too, so that a tile can be normalised by the whole picture's.

    Features that are the same all over give the shift: else their rounding, enlarged by 316 at each norm layer, would
    become a painting of noise. A black frame of a video is such a picture.
    """
    if moments is None:
        return normed_with_moments(feats_BCHW, affine)[0]
    mean, var = moments
    scale, shift = (_fit_map(value, feats_BCHW.shape[-2:]) for value in affine)
    gain = scale * torch.where(var < FLAT_VARIANCE, 0, (var + EPS).rsqrt())
    return torch.addcmul((shift - mean * gain).to(feats_BCHW.dtype), feats_BCHW, gain.to(feats_BCHW.dtype))


def normed_with_moments(feats_BCHW: Tensor, affine: Affine) -> tuple[Tensor, Moments]:
    """`conditional_instance_norm` by the features' own moments, and these, float32."""
    if _is_of_a_gpu_step(feats_BCHW, affine):
        normed, mean, var = GpuNorm.apply(feats_BCHW, *affine, EPS, FLAT_VARIANCE)
        return normed, (mean, var)
    if feats_BCHW.device.type != "cpu" or torch.compiler.is_compiling():
        own = feature_moments(feats_BCHW)
        return conditional_instance_norm(feats_BCHW, affine, moments=own), own
    scale, shift = (_fit_map(value, feats_BCHW.shape[-2:]) for value in affine)
    normed, mean, var = _OwnNorm.apply(feats_BCHW.float(), scale, shift)
    return normed.to(feats_BCHW.dtype), (mean, var)


def _is_of_a_gpu_step(feats: Tensor, affine: Affine) -> bool:
    of_a_point = affine[0].shape[-2:] == (1, 1)
    return feats.device.type == "cuda" and feats.requires_grad and of_a_point and not torch.compiler.is_compiling()


def feature_moments(feats_BCHW: Tensor) -> Moments:
    """Mean and variance over the positions of each sample, float32 whatever the features' precision."""
    if feats_BCHW.device.type != "cpu" or torch.compiler.is_compiling() or feats_BCHW.requires_grad:
        var, mean = torch.var_mean(feats_BCHW.float(), dim=(2, 3), keepdim=True, correction=0)
        return mean, var
    return _own_moments(feats_BCHW.float())


class _OwnNorm(torch.autograd.Function):
    """On a CPU: torch's group norm of a channel each takes a fifth of the time of `var_mean` there, channels last too.

    Its own gradient is slow where channels are last; this one takes three passes.
    """

    @staticmethod
    def forward(ctx: Any, feats: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normalised, mean, var, rstd = _normalised(feats)
        steep = torch.where(var < FLAT_VARIANCE, 0, scale)
        ctx.save_for_backward(normalised, steep, rstd)
        ctx.shapes = scale.shape, shift.shape
        ctx.mark_non_differentiable(mean, var)
        return torch.addcmul(shift, normalised, steep), mean, var

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *of_moments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normalised, scale, rstd = ctx.saved_tensors
        of_map = scale.shape[-2:] != (1, 1)
        if of_map:  # each point has a scale of its own
            to_scale, to_shift, gradient = gradient * normalised, gradient, gradient * scale
        level, along = _sums(gradient), _sums(gradient * normalised)
        if not of_map:
            to_scale, to_shift, rstd = along, level, rstd * scale
        points = gradient.shape[2] * gradient.shape[3]
        to_feats = torch.addcmul(gradient - level / points, normalised, along / -points).mul_(rstd)
        scale_shape, shift_shape = ctx.shapes
        return to_feats, to_scale.sum_to_size(scale_shape), to_shift.sum_to_size(shift_shape)


def _normalised(feats: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features of mean 0 and variance 1, and their mean, variance and 1 / sqrt(variance + EPS)."""
    if feats.shape[2] * feats.shape[3] <= MOST_POSITIONS:
        return _group_normed(feats)
    mean, var = _own_moments(feats)
    rstd = (var + EPS).rsqrt()
    return (feats - mean).mul_(rstd), mean, var, rstd


def _own_moments(feats: Tensor) -> Moments:
    """Put together from those of bands of rows, none of them too large."""
    bands = feats.split(max(1, MOST_POSITIONS // feats.shape[3]), dim=2)
    means, variances = zip(*(_group_normed(band)[1:3] for band in bands), strict=True)
    if len(bands) == 1:
        return means[0], variances[0]
    shares = [band.shape[2] / feats.shape[2] for band in bands]
    # From the first one: where all are equal the sum is that to the bit.
    mean = means[0] + sum(share * (each - means[0]) for share, each in zip(shares, means, strict=True))
    parts = zip(shares, means, variances, strict=True)
    return mean, torch.stack([share * (var + (each - mean).square()) for share, each, var in parts]).sum(dim=0)


def _group_normed(feats: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    batch, channels, height, width = feats.shape
    # Group norm takes the difference of two sums, exact where they are small: around what is about the mean. Features
    # of one colour must come out flat to the last bit, and around one of them they do.
    few = feats[..., height // 16 :: math.ceil(height / 8), width // 16 :: math.ceil(width / 8)]
    one = few[..., :1, :1]
    middle = one + (few - one).mean(dim=(2, 3), keepdim=True)
    normalised, mean, rstd = torch.native_group_norm(
        feats - middle, None, None, batch, channels, height * width, channels, EPS
    )
    mean, rstd = (value.view(batch, channels, 1, 1) for value in (mean, rstd))
    return normalised, mean + middle, (rstd**-2 - EPS).clamp_min(0), rstd


def _sums(feats_BCHW: Tensor) -> Tensor:
    """Over all positions, (B, C, 1, 1); where channels are last as a product, which torch has faster than sums."""
    if not feats_BCHW.is_contiguous(memory_format=torch.channels_last):
        return feats_BCHW.sum(dim=(2, 3), keepdim=True)
    feats_BNC = feats_BCHW.permute(0, 2, 3, 1).flatten(1, 2)
    ones_B1N = feats_BNC.new_ones(1).expand(len(feats_BNC), 1, feats_BNC.shape[1])
    with torch.autocast("cpu", enabled=False):  # of a training in bfloat16 these would be bfloat16
        return (ones_B1N @ feats_BNC).transpose(1, 2)[..., None]


def _fit_map(value_BChw: Tensor, size: torch.Size) -> Tensor:
    if value_BChw.shape[-2:] == (1, 1):
        return value_BChw  # broadcasts
    return F.interpolate(value_BChw, size=tuple(size), mode="bilinear", align_corners=False)
