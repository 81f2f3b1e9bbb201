"""First and second moments of features in a training step on a GPU, each feature read as seldom as torch allows.

Shape letters: B batch, C channels, H W feature size, N positions (H * W), P pieces of all positions, n of a piece.
"""

import math
from typing import Any

import torch
from torch import Tensor

# Of a sample's positions, whose products are then added: a small matrix keeps few of a GPU's units busy.
MOST_PIECES = 16


class GpuMoments(torch.autograd.Function):
    """Second moments (B, C, C), centred or not, and means (B, C), float32, of features of any precision.

    Features lie in memory as positions where channels are last. They alone are kept for the way back.
    """

    @staticmethod
    def forward(ctx: Any, feats_BCHW: Tensor, centred: bool) -> tuple[Tensor, Tensor]:
        with torch.autocast(feats_BCHW.device.type, enabled=False):
            feats_BNC = feats_BCHW.permute(0, 2, 3, 1).flatten(1, 2)
            mean_B1C = feats_BNC.mean(dim=1, keepdim=True, dtype=torch.float32)
            ctx.save_for_backward(feats_BCHW, mean_B1C)
            ctx.centred = centred
            batch, positions, channels = feats_BNC.shape
            pieces = math.gcd(positions, MOST_PIECES)
            feats_PnC = _around(feats_BNC, mean_B1C, centred).reshape(batch * pieces, -1, channels)
            matrix = (feats_PnC.mT @ feats_PnC).unflatten(0, (batch, pieces)).sum(dim=1) / positions
            return matrix, mean_B1C.squeeze(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (of_matrix_BCC, of_mean_BC), (feats_BCHW, mean_B1C) = gradients, ctx.saved_tensors
        with torch.autocast(feats_BCHW.device.type, enabled=False):
            feats_BNC = feats_BCHW.permute(0, 2, 3, 1).flatten(1, 2)
            positions = feats_BNC.shape[1]
            both_BCC = (of_matrix_BCC + of_matrix_BCC.mT) / positions
            # That of the mean within the matrix is 0: centred features sum to it.
            to_feats_BNC = torch.baddbmm(
                of_mean_BC[:, None] / positions, _around(feats_BNC, mean_B1C, ctx.centred), both_BCC
            )
            to_feats_BHWC = to_feats_BNC.to(feats_BCHW.dtype).unflatten(1, feats_BCHW.shape[2:])
            return to_feats_BHWC.permute(0, 3, 1, 2), None


def _around(feats_BNC: Tensor, mean_B1C: Tensor, centred: bool) -> Tensor:
    """In float32: the kernel casts as it reads."""
    return feats_BNC - mean_B1C if centred else feats_BNC.float()
