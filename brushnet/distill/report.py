"""How faithful a student is: whether it finds styles as far apart as its teacher does, on pictures it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from brushnet.distill.objective import MEAN_WEIGHT
from brushnet.distill.train import Distillation
from brushnet.losses import Statistics, pyramid, statistics, style_distance, target_of
from brushnet.lossnet import LossNetwork

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")

Pair = tuple[str, str]  # a picture, and the one whose style it should have


@dataclass(frozen=True)
class Distance:
    """A style distance: the default loss's, or the classic one on raw Gram matrices."""

    kind: str
    levels: int
    mean_weight: float


DEFAULT = Distance("covariance", levels=3, mean_weight=MEAN_WEIGHT)
RAW_GRAM = Distance("gram", levels=2, mean_weight=0.0)


Table = list[list[Statistics]]  # of one picture, by distance and then by level and layer


@torch.no_grad()
def style_distances(
    net: LossNetwork, pictures: Mapping[str, Tensor], pairs: Sequence[Pair], distances: Sequence[Distance]
) -> list[Tensor]:
    """For each kind of distance that of each pair (a, b), over b's energy, summed over layers and levels.

    Pictures are (1, 3, H, W) in [0, 1]. One pass through the network serves all kinds.
    """
    layers = [name for name in STYLE_LAYERS if name in net.layers]
    tables = {name: _table(net, picture, layers, distances) for name, picture in pictures.items()}
    return [
        torch.tensor([_apart(tables[a][kind], tables[b][kind], distance.mean_weight) for a, b in pairs])
        for kind, distance in enumerate(distances)
    ]


def _table(net: LossNetwork, picture: Tensor, layers: list[str], distances: Sequence[Distance]) -> Table:
    table: Table = [[] for _ in distances]
    for level, shrunk in enumerate(pyramid(picture, max(distance.levels for distance in distances))):
        feats = net.features(shrunk, layers)
        for row, distance in zip(table, distances, strict=True):
            if level < distance.levels:
                row += [statistics(feats[name], kind=distance.kind) for name in layers]
    return table


def _apart(found: list[Statistics], wanted: list[Statistics], mean_weight: float) -> float:
    parts = (style_distance(a, target_of(b), mean_weight=mean_weight) for a, b in zip(found, wanted, strict=True))
    return float(torch.cat(list(parts)).sum())


@torch.no_grad()
def explained(run: Distillation, *, batches: int = 8) -> dict[str, float]:
    """R^2 by layer on batches that no step has seen, without chased pictures."""
    sums: dict[str, float] = {}
    for index in range(batches):
        for name, value in run.unexplained(-100 - index).items():
            sums[name] = sums.get(name, 0.0) + float(value) / batches
    return {name: round(1 - value, 4) for name, value in sums.items()}
