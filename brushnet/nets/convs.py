"""Convolutions of the network: with reflect padding, and those that change the resolution.

Some are computed otherwise than they are defined, with less to multiply or with shapes that processors like better; the
parameters and results are those of the definition.

Shape letters: B batch, C channels in, O channels out, H W feature size, k kernel.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.reflection import reflected

FEW = 8  # channels out: fewer leave most of a matrix product's width empty


class Conv(nn.Conv2d):
    """Convolution with reflect padding that keeps the size (before its stride)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1):
        padding = kernel // 2 if kernel % 2 else (kernel - stride) // 2
        super().__init__(inputs, outputs, kernel, stride, padding=padding, padding_mode="reflect")

    @property
    def makes_four(self) -> bool:
        """Whether it is better computed for 2 x 2 pixels at a time: a large kernel, and few channels out."""
        return self.stride == (1, 1) and self.kernel_size[0] > 3 and self.out_channels < FEW

    def forward(self, feats_BCHW: Tensor) -> Tensor:
        px = int(self.padding[0])
        padded = reflected(feats_BCHW, px)
        if self.makes_four and _even(feats_BCHW):
            return F.pixel_shuffle(F.conv2d(padded, *four_at_a_time(self), stride=2), 2)
        return F.conv2d(padded, self.weight, self.bias, self.stride)


class EnlargingConv(Conv):
    """Each point twice as high and wide (nearest neighbour), then a convolution with a kernel of 3.

    No transposed convolution: that would draw a checkerboard (Odena et al. 2016).
    """

    def forward(self, feats_BCHW: Tensor) -> Tensor:
        # Reflecting the enlarged picture repeats the border of the small one.
        return F.pixel_shuffle(F.conv2d(_repeated(feats_BCHW), *enlarging(self)), 2)[..., 1:-1, 1:-1]


class SubPixelConv(Conv):
    """Convolution that makes 2 x 2 pixels of a point, (B, O, 2 H, 2 W), each by a kernel of its own; Shi et al. 2016.

    At first the pixels of a point are equal, or a pattern would have to be unlearnt (Aitken et al. 2017).
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, 4 * outputs)
        assert self.bias is not None
        with torch.no_grad():
            for values in (self.weight, self.bias):
                values.copy_(values[::4].repeat_interleave(4, dim=0))

    def forward(self, feats_BCHW: Tensor) -> Tensor:
        return F.pixel_shuffle(super().forward(feats_BCHW), 2)


def four_at_a_time(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight (4 O, C, k + 1, k + 1) and bias of a convolution with stride 2 that makes 2 x 2 pixels, O of each in turn.

    The kernel is laid out at each of 2 x 2 offsets in one that is larger by one, so there are four times the channels
    out of a quarter of the places: for a kernel of 9 that is 23 % more to multiply, a quarter to gather, and no product
    with 3 rows.
    """
    shifted = [F.pad(conv.weight, (x, 1 - x, y, 1 - y)) for y in (0, 1) for x in (0, 1)]
    return _in_phases(conv, shifted)


def enlarging(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight (4 O, C, 2, 2) and bias of a convolution that makes 2 x 2 pixels of a point, for a kernel of 3.

    In place of 3 x 3 of the enlarged pixels, of which many are equal, each of four phases sees the 2 x 2 that differ:
    less than half to multiply. The first row and column, and the last, are beyond the enlarged picture.
    """
    rows = [_two_of_three(conv.weight, dim=2, early=early) for early in (True, False)]
    phases = [_two_of_three(each, dim=3, early=early) for each in rows for early in (True, False)]
    return _in_phases(conv, phases)


def _two_of_three(weight: Tensor, *, dim: int, early: bool) -> Tensor:
    """For rows 2 i - 1 of the enlarged picture, which see pixels i - 1, i - 1 and i, or rows 2 i: i - 1, i and i."""
    first, second, third = weight.split(1, dim)
    return torch.cat([first + second, third] if early else [first, second + third], dim)


def _in_phases(conv: nn.Conv2d, phases_OCkk: list[Tensor]) -> tuple[Tensor, Tensor]:
    assert conv.bias is not None
    return torch.stack(phases_OCkk, dim=1).flatten(0, 1), conv.bias.repeat_interleave(4)


def _repeated(feats: Tensor) -> Tensor:
    """With the border once more all around."""
    if feats.device.type == "cpu" and not torch.compiler.is_compiling():
        return F.pad(feats, (1, 1, 1, 1), mode="replicate")
    # torch 2.15 compiles no gradient of that where channels are last, and on a GPU has no kernel for them. This one is
    # slow on a CPU.
    feats = torch.cat([feats[..., :1, :], feats, feats[..., -1:, :]], dim=-2)
    return torch.cat([feats[..., :1], feats, feats[..., -1:]], dim=-1)


def _even(feats: Tensor) -> bool:
    return feats.shape[-2] % 2 == 0 and feats.shape[-1] % 2 == 0
