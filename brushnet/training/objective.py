"""The loss of a painting against its photo and its style target, as named terms that sum to it."""

import torch
from torch import Tensor

from brushnet.losses import Key, LossSpec, StyleTarget, content_distance, pyramid, statistics, style_distance
from brushnet.losses import total_variation as tv
from brushnet.lossnet import LossNetwork


def loss_terms(
    painting_B3HW: Tensor,
    photo_B3HW: Tensor,
    targets: dict[Key, StyleTarget],
    *,
    lossnet: LossNetwork,
    spec: LossSpec,
) -> dict[str, Tensor]:
    """Weighted terms, each (B,): `content`, `style/LAYER` (summed over the pyramid) and `tv`.

    The painting goes through the loss network once a pyramid level, for style and content together. The photo goes
    through by itself, without gradient: in one batch with the painting it would double the cost of the backward pass.
    """
    content = painting_B3HW.new_zeros(len(painting_B3HW))
    style: dict[str, Tensor] = {}
    for level, picture in enumerate(pyramid(painting_B3HW, spec.pyramid_levels)):
        feats = lossnet.features(picture, _layers_at(level, spec))
        for layer, weight in spec.style_layers.items():
            found = statistics(feats[layer], kind=spec.statistic)
            distance = style_distance(found, targets[level, layer], mean_weight=spec.mean_weight)
            style[f"style/{layer}"] = style.get(f"style/{layer}", 0.0) + spec.style_weight * weight * distance
        if level == spec.content_level:
            wanted = _photo_features(photo_B3HW, lossnet, spec)
            for layer, weight in spec.content_layers.items():
                content = content + spec.content_weight * weight * content_distance(feats[layer], wanted[layer])
    return {"content": content, **style, "tv": spec.tv_weight * tv(painting_B3HW)}


def _layers_at(level: int, spec: LossSpec) -> list[str]:
    return spec.layers if level == spec.content_level else list(spec.style_layers)


@torch.no_grad()
def _photo_features(photo_B3HW: Tensor, lossnet: LossNetwork, spec: LossSpec) -> dict[str, Tensor]:
    return lossnet.features(pyramid(photo_B3HW, spec.content_level + 1)[-1], spec.content_layers)
