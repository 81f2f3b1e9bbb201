"""A frozen convolution with reflect padding and its ReLU, as few passes over a GPU's memory as torch allows.

Shape letters: B batch, C channels in, O channels out, H W feature size.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.reflection import folded_, padded

DEVICE = "cuda"  # whose padding in torch turns channels first


def conv_relu(conv: nn.Conv2d, feats_BCHW: Tensor) -> Tensor:
    """(B, O, H, W). The weights get no gradient. A convolution that is watched by a hook is called as a module."""
    if feats_BCHW.device.type != DEVICE or torch.compiler.is_compiling() or conv._forward_hooks:
        return F.relu(conv(feats_BCHW))
    kind = feats_BCHW.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else feats_BCHW.dtype
    assert conv.bias is not None
    return FrozenConvRelu.apply(feats_BCHW, conv.weight.to(dtype), conv.bias.to(dtype))


class FrozenConvRelu(torch.autograd.Function):
    """Kept for the way back are the features behind the ReLU alone: the padded ones are not."""

    @staticmethod
    def forward(ctx: Any, feats: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.dtype = feats.dtype
        out = F.conv2d(padded(feats, 1, dtype=weight.dtype), weight, bias).relu_()
        ctx.save_for_backward(out, weight)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        out, weight = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient.to(out.dtype), out, 0)
        batch, _, height, width = out.shape
        shape = (batch, weight.shape[1], height + 2, width + 2)
        of_padded = torch.empty(shape, dtype=out.dtype, device=out.device, memory_format=torch.channels_last)
        to_padded, _, _ = torch.ops.aten.convolution_backward(
            gradient, of_padded, weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (True, False, False)
        )  # of what was padded its size alone
        return folded_(to_padded, 1).to(ctx.dtype), None, None
