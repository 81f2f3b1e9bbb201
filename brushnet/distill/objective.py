"""What the student is trained for: the teacher's features, and the statistics that the style loss takes of them.

Shape letters: B batch, C student's channels, K axes of the teacher, H W feature size.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.losses import Statistics, StyleTarget, energy, statistics, style_distance

MEAN_WEIGHT = 0.3  # as `loss.mean_weight`
STYLE_WEIGHT = 0.5
ENERGY_FLOOR = 0.05  # of the batch's mean: a crop without any texture would weigh more than all others


def unexplained(feats_BCHW: Tensor, map_KC: Tensor, wanted_BKHW: Tensor) -> Tensor:
    """1 - R^2: squared error of the mapped features over the wanted ones' variance, both over the whole batch."""
    spread = wanted_BKHW - wanted_BKHW.mean(dim=(0, 2, 3), keepdim=True)
    error = F.conv2d(feats_BCHW, map_KC[:, :, None, None]) - wanted_BKHW
    return error.square().sum() / spread.square().sum()


def style_error(feats_BCHW: Tensor, map_KC: Tensor, wanted_BKHW: Tensor) -> Tensor:
    """Mean style distance of the mapped features from the wanted ones (`losses.style_distance`)."""
    found = mapped(statistics(feats_BCHW, kind="covariance"), map_KC)
    goal = statistics(wanted_BKHW, kind="covariance")
    target = StyleTarget(goal, _floored(energy(goal.matrix)), _floored(energy(goal.mean)))
    return style_distance(found, target, mean_weight=MEAN_WEIGHT).mean()


def mapped(found: Statistics, map_KC: Tensor) -> Statistics:
    """The statistics that the mapped features would have; far cheaper than mapping every position."""
    return Statistics(map_KC @ found.matrix @ map_KC.T, found.mean @ map_KC.T)


def _floored(energy_B: Tensor) -> Tensor:
    return energy_B + ENERGY_FLOOR * energy_B.mean()


def distillation_terms(
    feats: Mapping[str, Tensor], maps: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    """`unexplained` and `style`, by layer."""
    return {
        "unexplained": {name: unexplained(feats[name], maps[name], wanted[name]) for name in feats},
        "style": {name: style_error(feats[name], maps[name], wanted[name]) for name in feats},
    }


def distillation_loss(terms: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
    """Sum over the layers, style terms weighted."""
    weights = {"unexplained": 1.0, "style": STYLE_WEIGHT}
    return torch.stack([weights[kind] * value for kind, by_layer in terms.items() for value in by_layer.values()]).sum()
