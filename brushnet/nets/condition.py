"""What the network is told (stroke scale, style) and how: conditional instance norm.

Shape letters: B batch, C channels, H W feature size, h w size of the stroke map (1 x 1 for a single number), K
styles (paintings), n those of them that a sample mixes, E embedding, A affine values of all norm layers.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.devices import sent

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

    A row of `style` and a head of `affine` belong to one painting, as the norm layers' parameters do in Dumoulin et al.
    (2017); the rest is shared. The convolutions are 1 x 1: each point of a stroke map is embedded by itself.
    """

    def __init__(self, channels_per_norm: list[int], *, embedding: int, styles: int):
        super().__init__()
        self.channels_per_norm = channels_per_norm
        self.stroke = nn.Conv2d(1 + 2 * FREQUENCIES, embedding, 1)
        self.style = nn.Embedding(styles, embedding)
        nn.init.uniform_(self.style.weight, -1, 1)
        self.hidden = nn.Conv2d(embedding, embedding, 1)
        self.affine = AffineHeads(embedding, 2 * sum(channels_per_norm), styles=styles)

    def of_paintings(self) -> list[Tensor]:
        """The parameters of which each painting has its own: their first axis is K."""
        return [self.style.weight, self.affine.weight, self.affine.bias]

    def add_paintings(self, count: int) -> None:
        """Appends paintings that start as the first."""
        for owner, name in ((self.style, "weight"), (self.affine, "weight"), (self.affine, "bias")):
            rows = getattr(owner, name).detach()
            setattr(owner, name, nn.Parameter(torch.cat([rows, rows[:1].expand(count, *rows.shape[1:])])))
        self.style.num_embeddings += count

    @torch.no_grad()
    def copy_painting(self, source: int, *, to: int) -> None:
        for parameter in self.of_paintings():
            parameter[to] = parameter[source]

    def forward(
        self, log2_stroke_B1hw: Tensor, style_weights_BK: Tensor, *, most: int | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """One (scale, shift) pair a norm layer, each (B, C, h, w): the mean of the paintings' own, by their weights.

        Weights on the CPU are best left there: which paintings count is read from them, unless `most` says how many a
        sample mixes at most.
        """
        device = log2_stroke_B1hw.device
        weights_Bn, paintings_Bn = (sent(each, device) for each in _mixed(style_weights_BK, most))
        stroke_B1Ehw = self.stroke(fourier_octaves(log2_stroke_B1hw))[:, None]
        embedded_BnEhw = F.silu(stroke_B1Ehw + self.style(paintings_Bn)[..., None, None])
        hidden = F.silu(self.hidden(embedded_BnEhw.flatten(0, 1))).unflatten(0, embedded_BnEhw.shape[:2])
        affine = self.affine(hidden, weights_Bn, paintings_Bn)
        scales, shifts = affine.chunk(2, dim=1)
        pairs = zip(scales.split(self.channels_per_norm, 1), shifts.split(self.channels_per_norm, 1), strict=True)
        return [(1 + scale, shift) for scale, shift in pairs]


class AffineHeads(nn.Module):
    """A linear layer for each painting: K of them, A values from an embedding of E."""

    def __init__(self, embedding: int, values: int, *, styles: int):
        super().__init__()
        # At first every condition gives plain instance norm: scale 1, shift 0, plus a small response.
        self.weight = nn.Parameter(torch.empty(styles, values, embedding).normal_(std=0.02))
        self.bias = nn.Parameter(torch.zeros(styles, values))

    def forward(self, hidden_BnEhw: Tensor, weights_Bn: Tensor, paintings_Bn: Tensor) -> Tensor:
        """What the heads make of the embeddings, summed over the n paintings by their weights. Returns (B, A, h, w)."""
        heads_BAnE = (weights_Bn[..., None, None] * self.weight[paintings_Bn]).transpose(1, 2)
        bias_BA = (weights_Bn[..., None] * self.bias[paintings_Bn]).sum(dim=1)
        # Mixing is part of the convolution, where the n heads of a sample lie side by side; rows of weights are groups.
        (batch, paintings, embedding, *points), rows = hidden_BnEhw.shape, len(weights_Bn)
        grouped = hidden_BnEhw.reshape(batch // rows, rows * paintings * embedding, *points)
        heads = heads_BAnE.reshape(-1, paintings * embedding, 1, 1)
        return F.conv2d(grouped, heads, bias_BA.flatten(), groups=rows).reshape(batch, -1, *points)


def _mixed(style_weights_BK: Tensor, most: int | None) -> tuple[Tensor, Tensor]:
    """Weights and indices of the paintings that count, each (B, n): only they are computed.

    n is the most that a sample mixes, read from the weights where it is not given. A graph that is traced once must
    hold for any weights, hence all K there.
    """
    if most is not None:
        return style_weights_BK.topk(most, dim=1)
    most = style_weights_BK.shape[1]
    if most > 1 and not torch.compiler.is_compiling():
        most = max(1, int((style_weights_BK != 0).sum(dim=1).max()))
    return style_weights_BK.topk(most, dim=1)
