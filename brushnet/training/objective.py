"""The loss of a painting against its photo and its style target, as named terms that sum to it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from brushnet.devices import sent
from brushnet.losses import (
    Key,
    LossSpec,
    Statistics,
    StyleTarget,
    content_distance,
    grid_pattern,
    pyramid,
    statistics,
    style_distance,
)
from brushnet.losses import total_variation as tv
from brushnet.lossnet import LossNetwork

ContentPlan = tuple[bool, ...]  # for each level of the image pyramid whether any sample's content is compared there

SMALLEST_CONTENT_PX = 16  # a coarser level has no layout left to compare
FINEST_CONTENT_LEVEL = 1  # at full resolution the photo pins the finest strokes down


class Observed(NamedTuple):
    """What is compared of a picture, by layer: statistics (B, ...), and features (B, C, H / 2**stage, W / 2**stage)."""

    statistics: dict[str, Statistics]
    feats: dict[str, Tensor]


def observe(
    picture_B3HW: Tensor,
    lossnet: LossNetwork,
    style_layers: tuple[str, ...],
    content_layers: tuple[str, ...],
    kind: str,
) -> Observed:
    """A picture in [0, 1] as the loss network sees it; `kind` as in `losses.statistics`. What is worth compiling."""
    layers = dict.fromkeys([*style_layers, *content_layers])
    feats = lossnet.features(picture_B3HW, layers) if layers else {}
    found = {layer: statistics(feats[layer], kind=kind) for layer in style_layers}
    return Observed(found, {layer: feats[layer] for layer in content_layers})


def content_plan(shape: torch.Size, spec: LossSpec, log2_stroke_B: Tensor | None) -> ContentPlan:
    """For pictures of this shape; scales on the CPU."""
    levels_B = _content_levels(shape, spec, log2_stroke_B)
    count = max(spec.pyramid_levels, 1 + math.ceil(float(levels_B.max())))
    return tuple(bool(((levels_B - level).abs() < 1).any()) for level in range(count))


def loss_terms(
    painting_B3HW: Tensor,
    photo_B3HW: Tensor,
    targets: dict[Key, StyleTarget],
    *,
    lossnet: LossNetwork,
    spec: LossSpec,
    log2_stroke_B: Tensor | None = None,
    observe: Callable[..., Observed] = observe,
    plan: ContentPlan | None = None,
) -> dict[str, Tensor]:
    """Weighted terms, each (B,): `content`, `style/LAYER` (summed over the pyramid), `tv` and `grid`.

    Content is compared at `spec.content_level`. Where it follows the stroke and `log2_stroke` is given (on the CPU),
    that is the level at s = 1: a broad brush answers for the layout only, a fine one for details too.

    The painting goes through the loss network once a pyramid level, for style and content together. The photo goes
    through by itself, without gradient: in one batch with the painting it would double the cost of the backward pass.
    `observe` may be the compiled one. With a `plan` scales on a GPU are not waited for.
    """
    content = painting_B3HW.new_zeros(len(painting_B3HW))
    style: dict[str, Tensor] = {}
    content_levels_B = _content_levels(painting_B3HW.shape, spec, log2_stroke_B)
    plan = plan or content_plan(painting_B3HW.shape, spec, log2_stroke_B)
    levels = len(plan)
    pictures = zip(pyramid(painting_B3HW, levels), pyramid(photo_B3HW, levels), strict=True)
    for level, (picture, photo) in enumerate(pictures):
        style_layers = tuple(spec.style_layers) if level < spec.pyramid_levels else ()
        content_layers = tuple(spec.content_layers) if plan[level] else ()
        found, feats = observe(picture, lossnet, style_layers, content_layers, spec.statistic)
        for layer in style_layers:
            distance = style_distance(found[layer], targets[level, layer], mean_weight=spec.mean_weight)
            weight = spec.style_weight * spec.style_layers[layer]
            style[f"style/{layer}"] = style.get(f"style/{layer}", 0.0) + weight * distance
        if content_layers:
            with torch.no_grad():
                wanted = observe(photo, lossnet, (), content_layers, spec.statistic).feats
            share_B = (1 - (content_levels_B - level).abs()).clamp_min(0)
            for layer, weight in spec.content_layers.items():
                distance = sent(share_B, content.device) * content_distance(feats[layer], wanted[layer])
                content = content + spec.content_weight * weight * distance
    terms = {"content": content, **style, "tv": spec.tv_weight * tv(painting_B3HW)}
    return terms | ({"grid": spec.grid_weight * grid_pattern(painting_B3HW)} if spec.grid_weight else {})


def _content_levels(shape: torch.Size, spec: LossSpec, log2_stroke_B: Tensor | None) -> Tensor:
    """Level of the image pyramid, between two of them as a rule, at which each sample's content is compared. (B,)"""
    if log2_stroke_B is None:
        return torch.full((shape[0],), float(spec.content_level))
    if not spec.content_follows_stroke:
        return torch.full_like(log2_stroke_B, spec.content_level, dtype=torch.float32)
    coarsest = math.log2(max(1, min(shape[-2:]) / SMALLEST_CONTENT_PX))
    finest = min(spec.content_level, FINEST_CONTENT_LEVEL)
    return (spec.content_level + log2_stroke_B.float()).clamp(finest, max(coarsest, spec.content_level))
