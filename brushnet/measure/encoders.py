"""Encoders to measure with: never the network that a model was trained against, which would flatter it."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from brushnet.errors import UserError
from brushnet.lossnet.sources import TORCHVISION, load_lossnet
from brushnet.measure.bank import SteerableTexture
from brushnet.measure.texture import NetworkTexture, Texture
from brushnet.torch_file import UnreadableError
from brushnet.weights_file import read_weights

VGG_LAYERS = ("relu2_1", "relu3_1")

# Name: index in torchvision's `features`.
SQUEEZENET_LAYERS = {"relu1": 1, "fire2": 3, "fire3": 4, "fire4": 6, "fire5": 7}
DEFAULT_LAYERS = ("fire3", "fire4")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SqueezeNet:
    """The first layers of SqueezeNet 1.1 (Iandola et al. 2016), trained on ImageNet, independent of VGG.

    Call it: RGB (B, 3, H, W) in [0, 1] -> features (B, C, H, W) by layer name, H and W 1/2 to 1/8 of the picture's.
    """

    def __init__(self, weights: Mapping[str, Tensor], *, layers: tuple[str, ...] = DEFAULT_LAYERS):
        for layer in layers:
            if layer not in SQUEEZENET_LAYERS:
                raise UserError(f"SqueezeNet has no layer '{layer}'; its layers are {', '.join(SQUEEZENET_LAYERS)}")
        whole = squeezenet1_1(weights=None)
        whole.load_state_dict(weights)
        self.names = {SQUEEZENET_LAYERS[layer]: layer for layer in layers}
        self.stages = whole.features[: max(self.names) + 1].eval().requires_grad_(False)
        for module in self.stages.modules():
            if isinstance(module, nn.Conv2d):
                # Zeros would draw a frame around every picture: in a small one it outweighs the strokes.
                module.padding_mode = "reflect"
        self.mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self.std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    def __call__(self, picture_B3HW: Tensor) -> dict[str, Tensor]:
        feats = (picture_B3HW - self.mean) / self.std
        found = {}
        for index, stage in enumerate(self.stages):
            feats = stage(feats)
            if index in self.names:
                found[self.names[index]] = feats
        return found


def open_encoder(source: str) -> Texture:
    """`steerable` (filters, nothing learned), `compact`, a torchvision network (`vgg19`, `vgg16`), or a file of VGG or
    SqueezeNet 1.1 weights.

    UserError for anything else.
    """
    if source == "steerable":
        return SteerableTexture()
    if source in ("compact", *TORCHVISION):
        return _vgg(
            "compact" if source == "compact" else "torchvision", arch=source if source in TORCHVISION else "vgg19"
        )
    if not Path(source).is_file():
        raise UserError(f"--encoder {source}: no such file, nor one of steerable, compact, {', '.join(TORCHVISION)}")
    try:
        return NetworkTexture(load_squeezenet(source), DEFAULT_LAYERS)
    except UserError:
        return _vgg(source, arch="vgg19")


def _vgg(source: str, *, arch: str) -> Texture:
    net = load_lossnet(source, arch=arch, layers=VGG_LAYERS)
    return NetworkTexture(lambda picture_B3HW: net.features(picture_B3HW, VGG_LAYERS), VGG_LAYERS)


def load_squeezenet(path: str | PathLike[str], *, layers: tuple[str, ...] = DEFAULT_LAYERS) -> SqueezeNet:
    """From a file in torchvision's key layout. UserError where it is missing or something else."""
    if not Path(path).is_file():
        raise UserError(f"encoder file not found: {path}")
    try:
        weights = read_weights(Path(path))
    except UnreadableError as error:
        raise UserError(f"{path} cannot be read as weights: {error}") from error
    try:
        return SqueezeNet(weights, layers=layers)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{path} holds no SqueezeNet 1.1 in torchvision's key layout") from error
