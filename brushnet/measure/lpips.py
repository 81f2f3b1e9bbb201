"""LPIPS (Zhang et al. 2018), version 0.1 with the SqueezeNet backbone: how unlike two pictures look to people.

Neither head nor backbone ships: `squeeze.pth` is the authors' linear head, the backbone is SqueezeNet 1.1.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from brushnet.errors import UserError
from brushnet.torch_file import UnreadableError
from brushnet.weights_file import read_weights

# Of torchvision's `features`: what is compared, and its channels.
STAGES = {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}
# The authors' shift and scale of a picture in [-1, 1] are these of one in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALLEST_PX = 33  # below it the last pooling has nothing left


class Lpips:
    """Call it: two pictures (1, 3, H, W) in [0, 1] of one size, short side from 33 px -> distance from 0 up."""

    def __init__(self, head: Mapping[str, Tensor], backbone: Mapping[str, Tensor]):
        """State dicts. RuntimeError, KeyError where they are something else."""
        net = squeezenet1_1(weights=None)
        net.load_state_dict(backbone)
        self.stages = net.features[: max(STAGES) + 1].eval().requires_grad_(False)
        self.weights = [
            head[f"lin{place}.model.1.weight"].reshape(1, channels, 1, 1).float()
            for place, channels in enumerate(STAGES.values())
        ]
        self.mean, self.std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))

    @torch.inference_mode()
    def __call__(self, picture_13HW: Tensor, photo_13HW: Tensor) -> float:
        feats = (torch.cat([picture_13HW, photo_13HW]) - self.mean) / self.std
        distance = 0.0
        weights = iter(self.weights)
        for place, stage in enumerate(self.stages):
            feats = stage(feats)
            if place in STAGES:
                one, other = F.normalize(feats, dim=1, eps=1e-10).split(1)
                distance += float((next(weights) * (one - other) ** 2).sum(dim=1).mean())
        return distance


def load_lpips(head: str, backbone: str) -> Lpips:
    """From files. UserError names the option, the file and what is expected."""
    states = [_state("--lpips", head), _state("--squeezenet", backbone)]
    try:
        return Lpips(*states)
    except KeyError as error:
        raise UserError(f"--lpips {head} holds no LPIPS head for SqueezeNet (no {error}): give squeeze.pth") from error
    except (RuntimeError, TypeError) as error:
        cause = str(error).splitlines()[0]
        if "squeezenet" in cause.lower():
            raise UserError(f"--squeezenet {backbone} holds no SqueezeNet 1.1 in torchvision's key layout") from error
        raise UserError(f"--lpips {head} holds no LPIPS head for SqueezeNet ({cause}): give squeeze.pth") from error


def _state(option: str, path: str) -> Mapping[str, Tensor]:
    if not Path(path).is_file():
        raise UserError(f"{option} {path}: no such file; a file of weights is needed")
    try:
        return read_weights(Path(path))
    except UnreadableError as error:
        raise UserError(f"{option} {path} cannot be read as weights: {error}") from error
