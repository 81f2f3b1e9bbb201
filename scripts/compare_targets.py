"""How far the style targets `bank` and `crop` are from the statistics of the whole painting at a scale.

python scripts/compare_targets.py --style painting.jpg --weights vgg19.pth [--crop-px 128] [--draws 64]

Prints, for some stroke scales, the mean squared distance over the energy (the unit of the style loss) of a crop's
statistics and of the bank's interpolation between two grid points, averaged over layers and pyramid levels.
"""

import argparse
from pathlib import Path

import torch

from brushnet.losses import LossSpec, energy
from brushnet.lossnet import LossNetwork, load_lossnet
from brushnet.strokes import Painting, StrokeRange
from brushnet.training.targets import CropTargets, StyleBank, picture_statistics

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
SPEC = LossSpec(
    style_layers=dict.fromkeys(LAYERS, 1.0),
    content_layers={"relu3_1": 1.0},
    style_weight=1.0,
    content_weight=1.0,
    mean_weight=0.3,
    tv_weight=0.0,
    pyramid_levels=3,
    content_level=1,
)
SCALES = (0.5, 1.0, 2.0)


def main() -> None:
    args = parse()
    stroke = StrokeRange(0.35, 2.8)
    lossnet = load_lossnet(args.weights, layers=LAYERS)
    painting = Painting.open(args.style, reference_px=256)
    banks = {step: StyleBank([painting], lossnet, SPEC, stroke, step_octaves=step) for step in (0.5, 0.25, 0.125)}
    crops = CropTargets(banks[0.125], [painting], lossnet, SPEC, crop_px=args.crop_px, seed=0)
    print("scale   crop   " + "   ".join(f"bank, step {step:g}" for step in banks))
    for scale in SCALES:
        found = [crop_error(crops, scale, args.draws)]
        found += [bank_error(bank, painting, lossnet, scale) for bank in banks.values()]
        print(f"{scale:5g}   " + "   ".join(f"{value:.5f}" for value in found))


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


@torch.no_grad()
def bank_error(bank: StyleBank, painting: Painting, lossnet: LossNetwork, scale: float) -> float:
    """Halfway between two grid points, where the interpolation is at its worst."""
    place = int((bank.octaves - torch.tensor(scale).log2()).abs().argmin())
    middle = (bank.octaves[place] + bank.octaves[place + 1]) / 2
    true = picture_statistics(painting.render(2.0 ** float(middle)), lossnet, SPEC)
    found = bank.target(middle.view(1), torch.zeros(1, dtype=torch.long))
    errors = [energy(found[key].statistics.matrix - true[key].matrix) / energy(true[key].matrix) for key in true]
    return float(torch.cat(errors).mean())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--weights", required=True, help="weight file of a VGG, or random")
    parser.add_argument("--crop-px", type=int, default=128)
    parser.add_argument("--draws", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
