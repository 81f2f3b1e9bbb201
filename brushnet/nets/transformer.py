"""The residual transformer network (Johnson et al. 2016), told the stroke scale through its norm layers.

Where it differs from the paper: reflect padding on every convolution, nearest-neighbour enlargement and a convolution
instead of transposed convolutions (no checkerboard), conditional instance norm instead of batch norm, and a sigmoid at
the end, so that what the loss sees is a picture in [0, 1] and not something that is clipped later.

Shape letters: B batch, C channels, H W picture size, h w size of the stroke map, K styles.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.nets.condition import ConditionEmbedding, Moments, conditional_instance_norm, feature_moments

STRIDE = 4  # the bottleneck works at a quarter of the resolution
SMALLEST_PX = 20  # reflect padding of 4 at full and of 1 at quarter resolution needs this much, with a margin


class Conv(nn.Conv2d):
    """Convolution with reflect padding that keeps the size (before its stride)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="reflect")


class ResidualTransformer(nn.Module):
    """Photo in, painting of the same size out; strokes as large as the condition says.

    `width` is the channel count at full resolution, doubled at each halving: 32 is the paper's network, 16 the slim
    one. Receptive field at the output: 109 px with 5 blocks.
    """

    def __init__(self, *, width: int = 16, blocks: int = 5, stroke_embedding: int = 64, styles: int = 1):
        super().__init__()
        self.width, self.blocks, self.stroke_embedding, self.styles = width, blocks, stroke_embedding, styles
        wide = STRIDE * width
        self.down = nn.ModuleList(
            [Conv(3, width, kernel=9), Conv(width, 2 * width, stride=2), Conv(2 * width, wide, stride=2)]
        )
        self.residual = nn.ModuleList(Conv(wide, wide) for _ in range(2 * blocks))
        self.up = nn.ModuleList([Conv(wide, 2 * width), Conv(2 * width, width)])
        self.last = Conv(width, 3, kernel=9)
        norms = [width, 2 * width, wide, *[wide] * (2 * blocks), 2 * width, width]
        self.condition = ConditionEmbedding(norms, embedding=stroke_embedding, styles=styles)

    def add_paintings(self, count: int) -> None:
        """Appends `count` paintings to a trained network and leaves nothing but what belongs to paintings to train.

        As long as no other painting is drawn, the gradient of its rows is zero and Adam leaves them to the bit.
        """
        self.styles += count
        self.condition.add_paintings(count)
        self.requires_grad_(False)
        for parameter in self.condition.of_paintings():
            parameter.requires_grad_(True)

    def forward(
        self,
        photo_B3HW: Tensor,
        log2_stroke_B1hw: Tensor,
        style_weights_BK: Tensor,
        *,
        moments: Sequence[Moments] | None = None,
    ) -> Tensor:
        """Painting in [0, 1], (B, 3, H, W), for a photo in [0, 1] of any size.

        `log2_stroke` is (B or 1, 1, h, w) in octaves, 1 x 1 for one scale everywhere; `style_weights` (B or 1, K) sum
        to 1; `moments` replaces the feature statistics of each norm layer (see `norm_moments`).
        """
        return self._paint(photo_B3HW, log2_stroke_B1hw, style_weights_BK, moments, None)

    def norm_moments(self, photo_B3HW: Tensor, log2_stroke_B1hw: Tensor, style_weights_BK: Tensor) -> list[Moments]:
        """Statistics that every norm layer sees on this photo, in the order that `forward(moments=...)` takes."""
        seen: list[Moments] = []
        self._paint(photo_B3HW, log2_stroke_B1hw, style_weights_BK, None, seen)
        return seen

    def _paint(
        self,
        photo: Tensor,
        log2_stroke: Tensor,
        style_weights: Tensor,
        moments: Sequence[Moments] | None,
        seen: list[Moments] | None,
    ) -> Tensor:
        affines = iter(self.condition(log2_stroke, style_weights))
        given = iter(moments) if moments is not None else None

        def norm(feats: Tensor) -> Tensor:
            stats = next(given) if given is not None else feature_moments(feats)
            if seen is not None:
                seen.append(stats)
            return conditional_instance_norm(feats, next(affines), moments=stats)

        height, width = photo.shape[-2:]
        feats = _pad_to_stride(photo) - 0.5
        for conv in self.down:
            feats = F.relu(norm(conv(feats)))
        for first, second in zip(self.residual[::2], self.residual[1::2], strict=True):
            feats = feats + norm(second(F.relu(norm(first(feats)))))
        for conv in self.up:
            feats = F.relu(norm(conv(F.interpolate(feats, scale_factor=2.0, mode="nearest"))))
        return torch.sigmoid(self.last(feats)[..., :height, :width])


def _pad_to_stride(photo_B3HW: Tensor) -> Tensor:
    """Repeats the last row and column up to a multiple of the stride, and up to the smallest workable size."""
    height, width = photo_B3HW.shape[-2:]
    down = max(-height % STRIDE, SMALLEST_PX - height)
    right = max(-width % STRIDE, SMALLEST_PX - width)
    if not (down or right):
        return photo_B3HW
    return F.pad(photo_B3HW, (0, right, 0, down), mode="replicate")
