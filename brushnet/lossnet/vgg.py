"""VGG-like loss network (Simonyan and Zisserman 2015): features by layer name, frozen, normalisation inside.

Built from a state dict in torchvision's key layout (`features.0.weight`, ...) of any depth and widths: the names of
layers follow from the indices alone, since each convolution is followed by a ReLU and each stage ends in a pooling.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brushnet.errors import UserError
from brushnet.lossnet.frozen import conv_relu

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
METRIC = "metric."  # and a layer's name: a matrix (K, C) that this layer's features are multiplied by


class LossNetwork:
    """Features of a frozen VGG.

    Not an `nn.Module`, on purpose: as a submodule of the training module it would land in every checkpoint, and again
    in every averaged copy. It is shared, never copied.
    """

    def __init__(self, state: Mapping[str, Tensor], *, name: str):
        self.name = name
        self.layers = layer_names(state, source=name)
        weights = [state[f"features.{i}.weight"] for i in _conv_indices(state)]
        biases = [state[f"features.{i}.bias"] for i in _conv_indices(state)]
        self.convs = nn.ModuleList(
            _frozen_conv(weight, bias) for weight, bias in zip(weights, biases, strict=True)
        ).eval()
        self.metric = {
            layer: _matrix(state[METRIC + layer], len(weight), key=METRIC + layer, source=name)
            for layer, weight in zip(self.layers, weights, strict=True)
            if METRIC + layer in state
        }
        self.mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self.std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    @property
    def channels(self) -> dict[str, int]:
        """Of the features of each layer."""
        weights = (next(conv.parameters()) for conv in self.convs)
        return {layer: len(self.metric.get(layer, weight)) for layer, weight in zip(self.layers, weights, strict=True)}

    def __deepcopy__(self, memo: dict) -> "LossNetwork":
        return self

    def to(self, device: torch.device | str, *, memory_format: torch.memory_format | None = None) -> "LossNetwork":
        """Moves the weights, in place."""
        self.convs.to(device)
        if memory_format is not None:
            self.convs.to(memory_format=memory_format)
        self.metric = {name: matrix.to(device) for name, matrix in self.metric.items()}
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def require(self, layers: Iterable[str], *, option: str) -> None:
        """Raises UserError, naming the option, for a layer that these weights do not reach."""
        for layer in layers:
            if layer not in self.layers:
                raise UserError(
                    f"{option}: {self.name} has no layer '{layer}'; its layers are {', '.join(self.layers)}"
                )

    def truncate(self, layers: Iterable[str]) -> "LossNetwork":
        """Drops what lies behind the deepest of these layers, in place."""
        keep = 1 + max(self.layers.index(layer) for layer in layers)
        self.layers, self.convs = self.layers[:keep], self.convs[:keep]
        self.metric = {layer: matrix for layer, matrix in self.metric.items() if layer in self.layers}
        return self

    def features(self, picture_B3HW: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features (B, C, H / 2**stage, W / 2**stage) of a picture in [0, 1], up to the deepest layer asked for."""
        wanted = set(layers)
        found: dict[str, Tensor] = {}
        feats = (picture_B3HW - self.mean) / self.std
        for name, conv in zip(self.layers, self.convs, strict=True):
            assert isinstance(conv, nn.Conv2d)
            if name.endswith("_1") and name != "relu1_1":
                feats = halved(feats)
            feats = conv_relu(conv, feats)
            if name in wanted:
                found[name] = self._measured(name, feats)
                if len(found) == len(wanted):
                    break
        return found

    def _measured(self, name: str, feats: Tensor) -> Tensor:
        """In a distilled network: the features as far apart as its teacher's."""
        return F.conv2d(feats, self.metric[name]) if name in self.metric else feats


def halved(feats_BCHW: Tensor) -> Tensor:
    """Max-pooled by two, or as they are where less than two positions would be left: reflect padding needs them."""
    return feats_BCHW if min(feats_BCHW.shape[-2:]) < 4 else F.max_pool2d(feats_BCHW, 2)


def layer_names(state: Mapping[str, Tensor], *, source: str) -> list[str]:
    """`relu1_1`, `relu1_2`, ... for each convolution of a state dict. Raises UserError where it is not VGG-like."""
    indices = _conv_indices(state)
    if not indices or indices[0] != 0:
        raise UserError(f"lossnet.weights={source} is no VGG in torchvision's key layout (no 'features.0.weight')")
    names, stage, place, channels = [], 1, 0, 3
    for before, index in zip([-2, *indices], indices, strict=False):
        if index - before not in (2, 3):
            raise UserError(f"lossnet.weights={source}: no VGG, features.{index} follows features.{before}")
        stage, place = (stage + 1, 1) if index - before == 3 else (stage, place + 1)
        _check_conv(state, index, channels, source=source)
        channels = state[f"features.{index}.weight"].shape[0]
        names.append(f"relu{stage}_{place}")
    return names


def _check_conv(state: Mapping[str, Tensor], index: int, inputs: int, *, source: str) -> None:
    weight, bias = state[f"features.{index}.weight"], state.get(f"features.{index}.bias")
    fits = weight.ndim == 4 and weight.shape[1:] == (inputs, 3, 3) and weight.is_floating_point()
    if not fits or bias is None or bias.shape != weight.shape[:1]:
        raise UserError(
            f"lossnet.weights={source}: features.{index} has shape {tuple(weight.shape)}, "
            f"a VGG has (channels, {inputs}, 3, 3) and a bias there"
        )


def _matrix(matrix: Tensor, channels: int, *, key: str, source: str) -> Tensor:
    fits = matrix.ndim == 2 and matrix.shape[1] == channels and 1 <= len(matrix) <= channels
    if not fits or not matrix.is_floating_point():
        raise UserError(
            f"lossnet.weights={source}: {key} has shape {tuple(matrix.shape)}, "
            f"expected at most {channels} rows of {channels}"
        )
    return matrix.float()[:, :, None, None].contiguous()


def _conv_indices(state: Mapping[str, Tensor]) -> list[int]:
    parts = (key.split(".") for key in state if key.startswith("features.") and key.endswith(".weight"))
    return sorted(int(part[1]) for part in parts if len(part) == 3 and part[1].isdigit())


def _frozen_conv(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    # Reflect padding: zeros would draw a frame around every picture, in the features and so in the paintings.
    outputs, inputs = weight.shape[:2]
    conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1, padding_mode="reflect")
    with torch.no_grad():
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)
    return conv.requires_grad_(False)
