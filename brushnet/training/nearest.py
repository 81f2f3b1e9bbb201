"""Where an added painting starts: at the painting at hand that already paints most like it.

Starry-night's network with great-wave added; then 100 steps for a third painting (96 px, style loss on held-out
photos), started from starry-night, from the mean of both, from great-wave: olive-trees 1.81, 1.89, 1.99, the-scream
1.56, 1.66, 1.85.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork
from brushnet.nets import ResidualTransformer
from brushnet.strokes import StrokeRange
from brushnet.training.objective import loss_terms
from brushnet.training.targets import StyleBank


@torch.no_grad()
def start_at_nearest(
    nets: Sequence[ResidualTransformer],
    bank: StyleBank,
    photo_B3HW: Tensor,
    *,
    added: int,
    stroke: StrokeRange,
    scales: Sequence[float],
    lossnet: LossNetwork,
    spec: LossSpec,
) -> None:
    """Copies into the last `added` paintings of all nets (of equal weights) what belongs to the nearest before them.

    That is the one whose pictures have the smallest style loss against the added painting, which are those of the bank.
    """
    net, batch = nets[0], len(photo_B3HW)
    kept = net.styles - added
    losses = torch.zeros(kept, added)
    for index in range(kept):
        weights_1K = torch.eye(net.styles, device=photo_B3HW.device)[index : index + 1]
        for scale in scales:
            octaves_B = torch.full((batch,), math.log2(scale))
            painting = net(photo_B3HW, stroke.told(octaves_B).to(photo_B3HW), weights_1K)
            for new in range(added):
                targets = bank.target(octaves_B, torch.full((batch,), new))
                terms = loss_terms(painting, photo_B3HW, targets, lossnet=lossnet, spec=spec)
                style = sum(term.mean() for name, term in terms.items() if name.startswith("style/"))
                losses[index, new] += float(style)
    for new, nearest in enumerate(losses.argmin(dim=0).tolist()):
        for each in nets:
            each.condition.copy_painting(nearest, to=kept + new)
