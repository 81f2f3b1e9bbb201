"""`features`: the picture itself is optimised for content and style (Gatys et al. 2016), coarse to fine.

It minimises what a feed-forward model is trained for, one photo at a time: slow, and as good as that loss allows.
Strokes follow the request: at s = 0.5, 1 and 2 SqueezeNet, which was not in the loss, measured -0.96, -0.14 and 0.90
octaves (starry-night on one photo at 256 px, compact, 120 iterations); those of `moments` are always -0.40.

Shape letters: H W picture size.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import images, seeds
from brushnet.baselines.descent import Progress, descend
from brushnet.losses import Key, LossSpec, StyleTarget, target_of
from brushnet.lossnet import LossNetwork
from brushnet.strokes import SMALLEST_STYLE_PX, Painting
from brushnet.training.objective import loss_terms
from brushnet.training.targets import picture_statistics

COARSEST_PX = 96  # short side: in a smaller picture three pyramid levels would have nothing to see
START_NOISE = 0.02  # standard deviation: in a flat photo all gradients are equal, and no stroke could begin
SHIFT_PX = 16  # the loss network pools twice and the pyramid halves twice: what it sees repeats after so many pixels


def paint(
    photo_13HW: Tensor,
    painting: Painting,
    *,
    stroke: float,
    lossnet: LossNetwork,
    spec: LossSpec,
    iterations: int,
    seed: int,
    progress: Progress | None = None,
) -> Tensor:
    """The photo with the painting's strokes at scale `stroke`. In [0, 1], (1, 3, H, W); `iterations` over all sizes.

    Coarse to fine as in Gatys et al. 2017: large strokes are laid out where they are cheap.
    """
    sizes = ladder(*photo_13HW.shape[-2:], style_px=stroke * painting.reference_px)
    picture = images.resize(photo_13HW, *sizes[0])
    picture = (picture + START_NOISE * _noise(picture, seed)).clamp(0, 1)
    for number, (height, width) in enumerate(sizes):
        photo = images.resize(photo_13HW, height, width)
        halvings = len(sizes) - 1 - number
        style = painting.render(stroke / 2**halvings).to(photo.device)
        # Content is compared at one resolution throughout: an eye that the coarse sizes lose does not come back.
        here = replace(spec, content_level=max(0, spec.content_level - halvings))
        picture = descend(
            images.resize(picture, height, width),
            shifted_loss(photo, style_targets(style, lossnet, here), lossnet=lossnet, spec=here, seed=seed),
            iterations=iterations * (number + 1) // len(sizes) - iterations * number // len(sizes),
            progress=progress,
        )
    return picture


def ladder(height: int, width: int, *, style_px: float) -> list[tuple[int, int]]:
    """Sizes to paint at, coarsest first: the photo's own and its halvings. `style_px`: short side of S_s."""
    sizes = [(height, width)]
    while min(sizes[0]) >= 2 * COARSEST_PX and style_px >= SMALLEST_STYLE_PX * 2 ** len(sizes):
        sizes.insert(0, ((sizes[0][0] + 1) // 2, (sizes[0][1] + 1) // 2))
    return sizes


@torch.no_grad()
def style_targets(style_13HW: Tensor, lossnet: LossNetwork, spec: LossSpec) -> dict[Key, StyleTarget]:
    """The statistics of a painting at one scale, as the loss compares with them."""
    return {key: target_of(found) for key, found in picture_statistics(style_13HW, lossnet, spec).items()}


def shifted_loss(
    photo_13HW: Tensor, targets: dict[Key, StyleTarget], *, lossnet: LossNetwork, spec: LossSpec, seed: int
) -> Callable[[Tensor, int], Tensor]:
    """The training loss of a picture that is moved by some pixels, others at each step.

    Pooling gives one pixel in a block all the gradient. Unmoved, those were the same throughout, and showed as a grid.
    """

    def loss(picture_13HW: Tensor, step: int) -> Tensor:
        draws = seeds.rng(seed, f"baseline shift at {photo_13HW.shape[-2]} px", step)
        left, top = map(int, draws.integers(SHIFT_PX, size=2))
        picture, photo = (F.pad(each, (left, 0, top, 0), mode="reflect") for each in (picture_13HW, photo_13HW))
        return torch.cat(list(loss_terms(picture, photo, targets, lossnet=lossnet, spec=spec).values())).sum()

    return loss


def _noise(picture_13HW: Tensor, seed: int) -> Tensor:
    draws = seeds.rng(seed, "baseline start").standard_normal(tuple(picture_13HW.shape), dtype="float32")
    return torch.from_numpy(draws).to(picture_13HW.device)
