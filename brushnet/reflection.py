"""Reflect padding that leaves channels last, for GPUs: torch's own kernel turns the features around, twice.

On an H200 that, and turning them around again for the next convolution, with casts, was two fifths of a training step.

Shape letters: B batch, C channels, H W feature size, p padding.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def reflected(feats_BCHW: Tensor, px: int) -> Tensor:
    """(B, C, H + 2 p, W + 2 p). Of a training step on a GPU nobody else may hold the gradient of the result."""
    if feats_BCHW.device.type != "cuda" or torch.compiler.is_compiling():
        return F.pad(feats_BCHW, (px, px, px, px), mode="reflect")
    return ReflectPad.apply(feats_BCHW, px)


class ReflectPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feats: Tensor, px: int) -> Tensor:
        ctx.px = px
        return padded(feats, px, dtype=feats.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return folded_(gradient, ctx.px), None


def padded(feats_BCHW: Tensor, px: int, *, dtype: torch.dtype) -> Tensor:
    """Reflected at its borders, channels last."""
    batch, channels, height, width = feats_BCHW.shape
    assert px < min(height, width)
    out = torch.empty(
        (batch, channels, height + 2 * px, width + 2 * px),
        dtype=dtype,
        device=feats_BCHW.device,
        memory_format=torch.channels_last,
    )
    out[..., px:-px, px:-px] = feats_BCHW
    for step in range(1, px + 1):
        out[..., px - step, px:-px] = out[..., px + step, px:-px]
        out[..., -px - 1 + step, px:-px] = out[..., -px - 1 - step, px:-px]
    for step in range(1, px + 1):
        out[..., px - step] = out[..., px + step]
        out[..., -px - 1 + step] = out[..., -px - 1 - step]
    return out


def folded_(gradient_BCHW: Tensor, px: int) -> Tensor:
    """The gradient of `padded` from that of its result, which is written into: a view of it, (B, C, H, W)."""
    for step in range(1, px + 1):
        gradient_BCHW[..., px + step] += gradient_BCHW[..., px - step]
        gradient_BCHW[..., -px - 1 - step] += gradient_BCHW[..., -px - 1 + step]
    for step in range(1, px + 1):
        gradient_BCHW[..., px + step, :] += gradient_BCHW[..., px - step, :]
        gradient_BCHW[..., -px - 1 - step, :] += gradient_BCHW[..., -px - 1 + step, :]
    return gradient_BCHW[..., px:-px, px:-px]
