"""Conditional instance norm of a training step on a GPU, in fewer passes over its memory than torch's gradient takes.

Shape letters: B batch, C channels, H W feature size.
"""

from typing import Any

import torch
from torch import Tensor


class GpuNorm(torch.autograd.Function):
    """`normed_with_moments` for one scale and shift a sample and channel: features, their mean and their variance.

    Statistics are in float32 whatever the features are; what is kept for the way back are the features as they are.
    """

    @staticmethod
    def forward(
        ctx: Any, feats: Tensor, scale: Tensor, shift: Tensor, eps: float, flat_variance: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(feats.device.type, enabled=False):
            var, mean = torch.var_mean(feats.float(), dim=(2, 3), keepdim=True, correction=0)
            rstd, flat = (var + eps).rsqrt(), var < flat_variance
            gain = torch.where(flat, 0, scale) * rstd
            out = torch.addcmul((shift - mean * gain).to(feats.dtype), feats, gain.to(feats.dtype))
        ctx.save_for_backward(feats, mean, rstd, gain, flat)
        ctx.shapes = scale.shape, shift.shape
        ctx.mark_non_differentiable(mean, var)
        return out, mean, var

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *of_moments: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        feats, mean, rstd, gain, flat = ctx.saved_tensors
        points = feats.shape[2] * feats.shape[3]
        # Products of bfloat16 in float32: the kernel casts as it reads, where autocast would copy first.
        with torch.autocast(feats.device.type, enabled=False):
            level = gradient.sum(dim=(2, 3), keepdim=True, dtype=torch.float32)
            products = torch.addcmul(torch.zeros_like(mean), gradient, feats).sum(dim=(2, 3), keepdim=True)
            along = (products - mean * level) * rstd
            tilt = -gain * rstd * along / points
            to_feats = torch.addcmul(-gain * level / points - tilt * mean, feats, tilt)
            to_feats = torch.addcmul(to_feats, gradient, gain, out=torch.empty_like(feats))
        scale_shape, shift_shape = ctx.shapes
        return (
            to_feats,
            torch.where(flat, 0, along).sum_to_size(scale_shape),
            level.sum_to_size(shift_shape),
            None,
            None,
        )
