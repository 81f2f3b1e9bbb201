"""How much the picture changes at each size: energies of the bands of a Laplacian pyramid (Burt and Adelson 1983).

Covariances of features hardly notice where a smooth photo gets no strokes, or finer ones: the energy of each octave
does. Heeger and Bergen (1995) matched the statistics of bands, Gonthier et al. (2020) the power spectrum.

Shape letters: B batch, K scales of the grid, P paintings, L bands.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.devices import sent
from brushnet.strokes import Painting, StrokeRange
from brushnet.training.targets import on_grid

BANDS = 5  # octaves, from 1 to 2 px up to 16 to 32 px
# Lightness and two opponent colours. Strokes show in the first; it counts for more.
OPPONENT = ((0.299, 0.587, 0.114), (0.5, -0.5, 0.0), (0.25, 0.25, -0.5))
WEIGHTS = (1.0, 0.3, 0.3)
FLOOR = 2e-5  # about (1 / 255)²: less cannot be seen


def band_energies(picture_B3HW: Tensor) -> Tensor:
    """Log of the mean square of each band in each opponent colour. Returns (B, L, 3).

    Of a picture too small for a band its energy is the floor.
    """
    opponent = _constant(OPPONENT, picture_B3HW.device)
    level = torch.einsum("kc,bchw->bkhw", opponent, picture_B3HW.float())
    found = []
    for _ in range(BANDS):
        coarser = F.avg_pool2d(level, 2) if min(level.shape[-2:]) > 1 else level
        smooth = F.interpolate(coarser, size=level.shape[-2:], mode="bilinear", align_corners=False)
        found.append(((level - smooth).square().mean(dim=(2, 3)) + FLOOR).log())
        level = coarser
    return torch.stack(found, dim=1)


@lru_cache
def _constant(values: tuple[object, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)  # kept: the host waits for a GPU wherever it makes one


class SpectrumTarget:
    """Band energies of each painting S_s on a grid of log2 s, interpolated in between."""

    @torch.no_grad()
    def __init__(
        self,
        paintings: Sequence[Painting],
        stroke: StrokeRange,
        *,
        step_octaves: float,
        device: torch.device | str = "cpu",
    ):
        self.octaves = stroke.grid(step_octaves)
        rows = [
            band_energies(painting.render(2.0**octave)) for painting in paintings for octave in self.octaves.tolist()
        ]
        self.energies = torch.cat(rows).to(device).unflatten(0, (len(paintings), len(self.octaves)))

    def distance(self, picture_B3HW: Tensor, log2_stroke_B: Tensor, style_B: Tensor) -> Tensor:
        """Weighted mean square difference of log energies: 0.53 where each is off by a factor e. Returns (B,)."""
        wanted = self._wanted(log2_stroke_B, style_B)
        with torch.autocast(picture_B3HW.device.type, enabled=False):
            squares = (band_energies(picture_B3HW) - wanted).square()
        return (squares * _constant(WEIGHTS, squares.device)).mean(dim=(1, 2))

    def _wanted(self, log2_stroke_B: Tensor, style_B: Tensor) -> Tensor:
        low_B, part_B = (sent(each, self.energies.device) for each in on_grid(self.octaves, log2_stroke_B))
        high_B, style_B = (low_B + 1).clamp(max=len(self.octaves) - 1), sent(style_B, low_B.device)
        return torch.lerp(self.energies[style_B, low_B], self.energies[style_B, high_B], part_B.view(-1, 1, 1))
