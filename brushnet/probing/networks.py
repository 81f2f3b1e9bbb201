"""Loss networks to probe, by name or from a file, and what to call them in plots."""

from collections.abc import Sequence
from pathlib import Path

from brushnet.baselines.request import LOSSNETS
from brushnet.errors import UserError
from brushnet.lossnet import LossNetwork, load_lossnet

FULL_WIDTHS = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512}  # of VGG-16 and VGG-19


def open_networks(names: Sequence[str]) -> list[LossNetwork]:
    """UserError for two of one name in plots: one twice, `auto` and what it stands for, or files called alike."""
    networks: dict[str, LossNetwork] = {}
    for name in names:
        network = open_network(name)
        if label(network) in networks:
            raise UserError(f"--lossnet {name}: {label(network)} is given twice; figures are told apart by its name")
        networks[label(network)] = network
    return list(networks.values())


def open_network(name: str) -> LossNetwork:
    """Every layer that the weights reach. UserError for what is neither a name nor a file of weights."""
    if name not in LOSSNETS and not Path(name).is_file():
        raise UserError(f"--lossnet must be one of {', '.join(LOSSNETS)}, or a weight file, got {name}")
    weights, arch = LOSSNETS.get(name, (name, "vgg19"))
    return load_lossnet(weights, arch=arch)


def label(lossnet: LossNetwork) -> str:
    """Its name, and what it stands in for: a narrowed VGG is none, however it was trained."""
    name = Path(lossnet.name).stem
    narrower = (FULL_WIDTHS["relu1_1"] / lossnet.channels["relu1_1"]) ** 2  # weights of a layer: inputs times outputs
    if name == "compact":
        return "compact (distilled from VGG-19)"
    if all(lossnet.channels.get(layer, width) == width for layer, width in FULL_WIDTHS.items()):
        return name
    return f"{name} ({narrower:.0f}\N{MULTIPLICATION SIGN} compressed stand-in)"
