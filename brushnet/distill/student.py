"""The student: VGG's stages, much narrower, with a linear map from each layer to the teacher's.

The maps are needed for training only. What they say of distances stays: for M = A^T A, features F h with F^T F = M have
the very Gram distances of A h, whatever the teacher's width, so the saved network ends each layer in such a square F.

Shape letters: B batch, C channels, K main axes of the teacher, H W feature size.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet import seeds
from brushnet.errors import UserError
from brushnet.lossnet.vgg import IMAGENET_MEAN, IMAGENET_STD, METRIC, halved

Widths = Sequence[Sequence[int]]  # channels of each convolution, stage by stage

DEFAULT_WIDTHS = ((16, 16), (32, 48), (96, 96, 96, 96))


class Student(nn.Module):
    """Features of the student; `maps` (K, C) take each layer's to the teacher's K main axes."""

    mean: Tensor
    std: Tensor

    def __init__(self, widths: Widths, ranks: Mapping[str, int], *, seed: int):
        super().__init__()
        self.layers = layer_names(widths)
        flat = [width for stage in widths for width in stage]
        with seeds.torch_seeded(seed, "student"):
            self.convs = nn.ModuleList(
                _conv(inputs, outputs) for inputs, outputs in zip([3, *flat], flat, strict=False)
            )
        self.maps = nn.ParameterDict(
            {name: torch.zeros(ranks[name], width) for name, width in zip(self.layers, flat, strict=True)}
        )
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, picture_B3HW: Tensor, *, last: str) -> dict[str, Tensor]:
        """Features (B, C, H, W) of each layer up to `last`, before the maps."""
        found = {}
        feats = (picture_B3HW - self.mean) / self.std
        for name, conv in zip(self.layers, self.convs, strict=True):
            if name.endswith("_1") and name != "relu1_1":
                feats = halved(feats)
            found[name] = feats = F.relu(conv(feats))
            if name == last:
                break
        return found

    @torch.no_grad()
    def state(self, units: Mapping[str, float]) -> dict[str, Tensor]:
        """State dict of a loss network: torchvision's VGG keys and, for each layer, `metric.LAYER` (C, C).

        `units` are the teacher's, by layer (`axes.units`): what is small for the teacher is to be small here too.
        """
        saved: dict[str, Tensor] = {}
        index = 0
        for name, conv in zip(self.layers, self.convs, strict=True):
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            index += name.endswith("_1") and name != "relu1_1"
            saved[f"features.{index}.weight"], saved[f"features.{index}.bias"] = conv.weight.clone(), conv.bias.clone()
            saved[METRIC + name] = units[name] * metric(self.maps[name])
            index += 2
        return saved


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


def metric(map_KC: Tensor) -> Tensor:
    """F (C, C) with F^T F = A^T A for the map A: features F h lie as far apart as A h, in the teacher's main axes."""
    _, values, vectors = torch.linalg.svd(map_KC.double(), full_matrices=False)
    square = values[:, None] * vectors
    return F.pad(square, (0, 0, 0, map_KC.shape[1] - len(square))).float()


def layer_names(widths: Widths) -> list[str]:
    """`relu1_1`, `relu1_2`, ... for each convolution."""
    return [f"relu{i + 1}_{j + 1}" for i, stage in enumerate(widths) for j in range(len(stage))]


def parse_widths(text: str) -> tuple[tuple[int, ...], ...]:
    """`16,16/32,48/96,96` as numbers, a stage for each slash. Raises UserError."""
    try:
        widths = tuple(tuple(int(part) for part in stage.split(",")) for stage in text.split("/"))
    except ValueError:
        widths = ()
    if not widths or min((width for stage in widths for width in stage), default=0) < 1:
        raise UserError(
            f"--widths must be like 16,16/32,48/96,96 (channels from 1, a stage for each slash), got {text}"
        )
    return widths
