"""`moments`: a photo whose features have the painting's means and covariances, layer by layer; no notion of scale.

The universal style transfer of Li et al. (2017) without its trained decoders: features are recoloured in closed form,
and the picture that has them is found by gradient descent (Mahendran and Vedaldi 2015).

Shape letters: C channels, H W size, N positions (H * W).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from brushnet.baselines.descent import Progress, descend
from brushnet.losses import content_distance
from brushnet.lossnet import LossNetwork
from brushnet.transport import transport


def transfer(
    photo_13HW: Tensor,
    painting_13HW: Tensor,
    *,
    lossnet: LossNetwork,
    layers: Sequence[str],
    iterations: int,
    progress: Progress | None = None,
) -> Tensor:
    """The photo with the painting's moments of colour and of each layer, the deepest first. In [0, 1], (1, 3, H, W).

    From deep to shallow as Li et al. do: the shallow layers mend what the deep ones do not see. `iterations` in all.
    """
    picture = match_moments(photo_13HW, painting_13HW).clamp(0, 1)
    ordered = sorted(layers, key=lossnet.layers.index, reverse=True)
    for number, layer in enumerate(ordered):
        share = iterations * (number + 1) // len(ordered) - iterations * number // len(ordered)
        picture = _with_moments_of(picture, painting_13HW, lossnet, layer, share, progress)
    return picture


def _with_moments_of(
    picture_13HW: Tensor,
    painting_13HW: Tensor,
    lossnet: LossNetwork,
    layer: str,
    iterations: int,
    progress: Progress | None,
) -> Tensor:
    with torch.no_grad():
        found, wanted = (lossnet.features(each, [layer])[layer] for each in (picture_13HW, painting_13HW))
        target = match_moments(found, wanted)

    def loss(trial_13HW: Tensor, step: int) -> Tensor:
        return content_distance(lossnet.features(trial_13HW, [layer])[layer], target).sum()

    return descend(picture_13HW, loss, iterations=iterations, progress=progress)


def match_moments(feats_1CHW: Tensor, wanted_1CHW: Tensor) -> Tensor:
    """The features, moved linearly so that mean and covariance are those of `wanted` (which may have another size).

    Of all linear maps that do it the one that moves them least, the optimal transport between two normal distributions
    (Lu et al. 2019), and not whitening and colouring (Li et al. 2017): more of the photo stays. Its own moments leave
    any features as they are.
    """
    # On the CPU: roots of nearly singular matrices need float64, which not every device has.
    feats_CN, wanted_CN = (each[0].flatten(1).double().cpu() for each in (feats_1CHW, wanted_1CHW))
    mean_C1, wanted_mean_C1 = feats_CN.mean(1, keepdim=True), wanted_CN.mean(1, keepdim=True)
    moved_CN = transport(_covariance(feats_CN), _covariance(wanted_CN)) @ (feats_CN - mean_C1) + wanted_mean_C1
    return moved_CN.view(feats_1CHW.shape).to(feats_1CHW)


def _covariance(feats_CN: Tensor) -> Tensor:
    return torch.cov(feats_CN, correction=0).view(len(feats_CN), -1)
