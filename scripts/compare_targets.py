"""How far the style targets `bank` and `crop` are from the statistics of the whole painting at a scale.

python scripts/compare_targets.py --style painting.jpg --weights vgg19.pth [--crop-px 128] [--draws 64]

Prints, for some stroke scales, the mean squared distance over the energy (the unit of the style loss) of a crop's
statistics and of the bank's interpolation between two grid points, averaged over layers and pyramid levels.
"""

import argparse
import sys
from pathlib import Path

import torch

from brushnet import build
from brushnet.config import Config
from brushnet.errors import BrushnetError
from brushnet.losses import LossSpec, energy
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting, StrokeRange
from brushnet.training.targets import CropTargets, StyleBank, picture_statistics

SCALES = (0.5, 1.0, 2.0)
STEPS_OCTAVES = (0.5, 0.25, 0.125)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    try:
        rows = measure(arguments)
    except BrushnetError as error:
        print(f"compare_targets: error: {error}", file=sys.stderr)
        return error.exit_code
    print("scale   crop   " + "   ".join(f"bank, step {step:g}" for step in STEPS_OCTAVES))
    for scale, row in zip(SCALES, rows, strict=True):
        print(f"{scale:5g}   " + "   ".join(f"{value:.5f}" for value in row))
    return 0


@torch.no_grad()
def measure(arguments: argparse.Namespace) -> list[list[float]]:
    """For each scale the error of a crop and of a bank of each step, with the losses and layers of a default run."""
    cfg = Config()
    cfg.lossnet.weights = arguments.weights
    spec, lossnet = build.build_spec(cfg), build.build_lossnet(cfg)
    stroke = StrokeRange(cfg.stroke.min, cfg.stroke.max)
    painting = Painting.open(arguments.style, reference_px=cfg.style.reference_px)
    banks = {step: StyleBank([painting], lossnet, spec, stroke, step_octaves=step) for step in STEPS_OCTAVES}
    crops = CropTargets(banks[STEPS_OCTAVES[-1]], [painting], lossnet, spec, crop_px=arguments.crop_px, seed=0)
    return [
        [
            crop_error(crops, scale, arguments.draws),
            *(bank_error(bank, painting, lossnet, spec, scale) for bank in banks.values()),
        ]
        for scale in SCALES
    ]


def crop_error(crops: CropTargets, scale: float, draws: int) -> float:
    octaves = torch.full((draws,), scale).log2()
    styles = torch.zeros(draws, dtype=torch.long)
    errors = []
    for start in range(0, draws, 8):
        part = slice(start, start + 8)
        targets = crops.target(octaves[part], styles[part], torch.arange(draws)[part])
        whole = crops.bank.target(octaves[part], styles[part])
        errors += [
            energy(targets[key].statistics.matrix - whole[key].statistics.matrix) / whole[key].matrix_energy
            for key in whole
        ]
    return float(torch.cat(errors).mean())


def bank_error(bank: StyleBank, painting: Painting, lossnet: LossNetwork, spec: LossSpec, scale: float) -> float:
    """Halfway between two grid points, where the interpolation is at its worst."""
    place = int((bank.octaves - torch.tensor(scale).log2()).abs().argmin())
    middle = (bank.octaves[place] + bank.octaves[place + 1]) / 2
    true = picture_statistics(painting.render(2.0 ** float(middle)), lossnet, spec)
    found = bank.target(middle.view(1), torch.zeros(1, dtype=torch.long))
    errors = [energy(found[key].statistics.matrix - true[key].matrix) / energy(true[key].matrix) for key in true]
    return float(torch.cat(errors).mean())


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--weights", required=True, help="weight file of a VGG, or random")
    parser.add_argument("--crop-px", type=int, default=128)
    parser.add_argument("--draws", type=int, default=64)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
