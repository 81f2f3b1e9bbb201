"""Style targets for a stroke scale s: statistics of the whole S_s from a bank, or of one random crop of it.

Shape letters: B batch, C channels, K scales of the bank, P paintings.
"""

import logging
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from brushnet.devices import sent
from brushnet.losses import Key, LossSpec, Statistics, StyleTarget, pyramid, statistics, target_of
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting, StrokeRange

log = logging.getLogger(__name__)


def picture_statistics(picture_B3HW: Tensor, lossnet: LossNetwork, spec: LossSpec) -> dict[Key, Statistics]:
    """Statistics of every style layer at every pyramid level."""
    found: dict[Key, Statistics] = {}
    for level, picture in enumerate(pyramid(picture_B3HW, spec.pyramid_levels)):
        for layer, feats in lossnet.features(picture, spec.style_layers).items():
            found[level, layer] = statistics(feats, kind=spec.statistic)
    return found


class StyleBank:
    """Statistics of whole paintings S_s on a grid of log2 s, interpolated in between.

    The step then needs no style pass, and the target has no crop noise. In between grid points the matrices are
    interpolated linearly in log2 s.
    """

    def __init__(
        self,
        paintings: Sequence[Painting],
        lossnet: LossNetwork,
        spec: LossSpec,
        stroke: StrokeRange,
        *,
        step_octaves: float,
        device: torch.device | str = "cpu",
    ):
        started = time.perf_counter()
        self.octaves = stroke.grid(step_octaves)
        rows: dict[Key, list[Statistics]] = {}
        with torch.no_grad():
            for painting in paintings:
                for octave in self.octaves.tolist():
                    picture = painting.render(2.0**octave).to(device)
                    for key, found in picture_statistics(picture, lossnet, spec).items():
                        rows.setdefault(key, []).append(found)
        # Style p at grid point k lies in row p * K + k.
        self.rows = {
            key: Statistics(torch.cat([row.matrix for row in found]), torch.cat([row.mean for row in found]))
            for key, found in rows.items()
        }
        seconds = time.perf_counter() - started
        log.info("style bank: %d scales of %d paintings in %.1f s", len(self.octaves), len(paintings), seconds)

    def target(self, log2_stroke_B: Tensor, style_B: Tensor) -> dict[Key, StyleTarget]:
        """Target of each sample at its scale (octaves) and for its painting (index)."""
        low_B, part_B = on_grid(self.octaves, log2_stroke_B)
        device = next(iter(self.rows.values())).mean.device
        low_B, part_B = sent(low_B + style_B * len(self.octaves), device), sent(part_B, device)
        return {key: self._interpolate(rows, low_B, part_B) for key, rows in self.rows.items()}

    @staticmethod
    def _interpolate(rows: Statistics, low_B: Tensor, part_B: Tensor) -> StyleTarget:
        high_B = (low_B + 1).clamp(max=len(rows.mean) - 1)
        matrix = torch.lerp(rows.matrix[low_B], rows.matrix[high_B], part_B.view(-1, 1, 1))
        mean = torch.lerp(rows.mean[low_B], rows.mean[high_B], part_B.view(-1, 1))
        return target_of(Statistics(matrix, mean))


def on_grid(octaves_K: Tensor, log2_stroke_B: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the grid point below each scale, and which part of the step to the next lies between them. Both (B,)."""
    last = len(octaves_K) - 1
    if last == 0:
        return torch.zeros_like(log2_stroke_B, dtype=torch.long), torch.zeros_like(log2_stroke_B)
    step = float(octaves_K[1] - octaves_K[0])
    place = ((log2_stroke_B - float(octaves_K[0])) / step).clamp(0, last)
    low = place.floor().long().clamp(max=last - 1)
    return low, place - low


class CropTargets:
    """Statistics of one random crop of S_s for each sample, over the bank's energies of the whole S_s.

    The plain recipe. Its targets are noisy: no crop holds what the whole painting holds (see the figures beside
    `style.target` in the configuration).
    """

    def __init__(
        self,
        bank: StyleBank,
        paintings: Sequence[Painting],
        lossnet: LossNetwork,
        spec: LossSpec,
        *,
        crop_px: int,
        seed: int,
    ):
        self.bank, self.paintings, self.lossnet, self.spec = bank, paintings, lossnet, spec
        self.crop_px, self.seed = crop_px, seed

    @torch.no_grad()
    def target(self, log2_stroke_B: Tensor, style_B: Tensor, indices_B: Tensor) -> dict[Key, StyleTarget]:
        """Target of each sample; crops are drawn by global sample index."""
        whole = self.bank.target(log2_stroke_B, style_B)
        device = next(iter(whole.values())).matrix_energy.device
        crops = [
            self.paintings[int(style)]
            .random_crop(2.0 ** float(octave), self.crop_px, seed=self.seed, index=int(index))
            .to(device)
            for octave, style, index in zip(log2_stroke_B, style_B, indices_B, strict=True)
        ]
        found = self._statistics(crops)
        return {key: target._replace(statistics=found[key]) for key, target in whole.items()}

    def _statistics(self, crops: list[Tensor]) -> dict[Key, Statistics]:
        """One pass for all crops where they have one size; small scales of a small painting have their own."""
        if len({crop.shape for crop in crops}) == 1:
            return picture_statistics(torch.cat(crops), self.lossnet, self.spec)
        each = [picture_statistics(crop, self.lossnet, self.spec) for crop in crops]
        return {
            key: Statistics(torch.cat([one[key].matrix for one in each]), torch.cat([one[key].mean for one in each]))
            for key in each[0]
        }
