"""What the network is told (stroke scale, style) and how: conditional instance norm.

Shape letters: B batch, C channels, H W feature size, h w size of the stroke map (1 x 1 for a single number),
K styles, E embedding.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Moments = tuple[Tensor, Tensor]  # mean and variance of the features, each (B or 1, C, 1, 1)

FREQUENCIES = 4


def fourier_octaves(log2_stroke_B1hw: Tensor) -> Tensor:
    """log2 s itself, and sines and cosines with periods of 8, 4, 2 and 1 octaves. Returns (B, 9, h, w).

    The linear term lets the network extrapolate; the shortest period is that of a clearly different brush.
    """
    periods = 8.0 / 2.0 ** torch.arange(FREQUENCIES, device=log2_stroke_B1hw.device)
    angles = 2 * math.pi * log2_stroke_B1hw / periods.view(1, -1, 1, 1)
    return torch.cat([log2_stroke_B1hw, angles.sin(), angles.cos()], dim=1)


class ConditionEmbedding(nn.Module):
    """Stroke scale and style -> scale and shift of every norm layer, in one pass for all layers.

    The convolutions are 1 x 1: each point of a stroke map is embedded by itself.
    """

    def __init__(self, channels_per_norm: list[int], *, embedding: int, styles: int):
        super().__init__()
        self.channels_per_norm = channels_per_norm
        self.stroke = nn.Conv2d(1 + 2 * FREQUENCIES, embedding, 1)
        self.style = nn.Linear(styles, embedding, bias=False)
        self.hidden = nn.Conv2d(embedding, embedding, 1)
        self.affine = nn.Conv2d(embedding, 2 * sum(channels_per_norm), 1)
        # At first every condition gives plain instance norm: scale 1, shift 0, plus a small response.
        nn.init.normal_(self.affine.weight, std=0.02)
        assert self.affine.bias is not None
        nn.init.zeros_(self.affine.bias)

    def forward(self, log2_stroke_B1hw: Tensor, style_weights_BK: Tensor) -> list[tuple[Tensor, Tensor]]:
        """One (scale, shift) pair a norm layer, each (B, C, h, w)."""
        style_BE11 = self.style(style_weights_BK)[..., None, None]
        embedded = F.silu(self.stroke(fourier_octaves(log2_stroke_B1hw)) + style_BE11)
        affine = self.affine(F.silu(self.hidden(embedded)))
        scales, shifts = affine.chunk(2, dim=1)
        pairs = zip(scales.split(self.channels_per_norm, 1), shifts.split(self.channels_per_norm, 1), strict=True)
        return [(1 + scale, shift) for scale, shift in pairs]


def feature_moments(feats_BCHW: Tensor) -> Moments:
    """Mean and variance over the positions of each sample, float32 whatever the features' precision."""
    var, mean = torch.var_mean(feats_BCHW.float(), dim=(2, 3), keepdim=True, correction=0)
    return mean, var


def conditional_instance_norm(
    feats_BCHW: Tensor, affine: tuple[Tensor, Tensor], *, moments: Moments | None = None, eps: float = 1e-5
) -> Tensor:
    """Instance norm (Ulyanov et al. 2016) with a scale and shift from outside (Dumoulin et al. 2017, section 2.2).

    With `moments` the statistics come from outside too, so that a tile can be normalised by the whole picture's.
    """
    mean, var = feature_moments(feats_BCHW) if moments is None else moments
    scale, shift = (_fit_map(value, feats_BCHW.shape[-2:]) for value in affine)
    gain = scale * (var + eps).rsqrt()
    return torch.addcmul((shift - mean * gain).to(feats_BCHW.dtype), feats_BCHW, gain.to(feats_BCHW.dtype))


def _fit_map(value_BChw: Tensor, size: torch.Size) -> Tensor:
    if value_BChw.shape[-2:] == (1, 1):
        return value_BChw  # broadcasts
    return F.interpolate(value_BChw, size=tuple(size), mode="bilinear", align_corners=False)
