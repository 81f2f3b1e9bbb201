"""Layer probe: which layer's statistics tell which stroke widths apart.

The distance between two stroke widths means nothing by itself: pictures of one width differ too. So each layer is taken
for an observer (Green and Swets 1966) that has only its own style loss to go by: shown a picture, it says which of two
neighbouring widths is closer in the mean. How far apart its answers lie, in units of their spread, is d'.

Shape letters: N pictures of one width, M pictures of both (2 N), C channels.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import variance
from typing import NamedTuple

import torch
from torch import Tensor

from brushnet.errors import UserError
from brushnet.losses import Statistics, energy, pyramid, statistics
from brushnet.lossnet import LossNetwork

FEWEST_DRAWS = 3  # one is left out, and two have the smallest spread there is
Key = tuple[int, str]  # pyramid level and layer
Show = Mapping[Key, Statistics]


class Series(NamedTuple):
    """Pictures of one subject at rising stroke scales, neighbours a fixed ratio apart."""

    name: str
    widths: Sequence[float]  # stroke widths in px, or stroke scales s where the width is not known
    pictures: Sequence[Sequence[Tensor]]  # for each width N pictures (1, 3, H, W) in [0, 1], of the same N subjects


class Separation(NamedTuple):
    """How well one observer tells two neighbouring widths apart.

    `d_prime_error` is its standard error, as far as the choice of subjects goes (jackknife).
    `distance` and `within` are squared style distances over their energy, as in the loss: of two pictures of different
    widths, and of the same. Both are of different subjects; `d_prime` is 0 where there is nothing to tell.
    """

    d_prime: float
    d_prime_error: float
    distance: float
    within: float

    @property
    def ratio(self) -> float:
        return self.distance / self.within if self.within else math.nan


class Cell(NamedTuple):
    """One observer between two neighbouring widths. `levels` are the pyramid levels whose losses it sums."""

    layers: tuple[str, ...]
    levels: tuple[int, ...]
    narrow: float
    wide: float
    separation: Separation
    energy: float  # of the covariance, the mean over pictures, layers and levels summed


def probe(
    series: Series,
    lossnet: LossNetwork,
    observers: Sequence[tuple[tuple[str, ...], tuple[int, ...]]],
    *,
    mean_weight: float,
) -> Iterator[list[Cell]]:
    """For each pair of neighbouring widths one cell per observer: the layers and the levels whose losses it sums."""
    layers = list(dict.fromkeys(layer for names, _ in observers for layer in names))
    levels = 1 + max(level for _, numbers in observers for level in numbers)
    check_draws(min(map(len, series.pictures)))
    before: Show | None = None
    for place, pictures in enumerate(series.pictures):
        shown = show(pictures, lossnet, layers, levels=levels)
        if before is not None:
            grams = {key: products(before[key], shown[key], mean_weight=mean_weight) for key in shown}
            energies = {key: float(energy(torch.cat([before[key].matrix, shown[key].matrix])).mean()) for key in shown}
            yield [
                _cell(names, numbers, series.widths[place - 1 : place + 1], grams, energies)
                for names, numbers in observers
            ]
        before = shown


def check_draws(draws: int) -> None:
    if draws < FEWEST_DRAWS:
        raise UserError(
            f"--draws must be at least {FEWEST_DRAWS}, the spread of one width being what counts, got {draws}"
        )


@torch.inference_mode()
def show(pictures: Sequence[Tensor], lossnet: LossNetwork, layers: Sequence[str], *, levels: int) -> Show:
    """Statistics of the pictures, (N, C, C) and (N, C), one picture at a time: they need not be of one size."""
    found: dict[Key, list[Statistics]] = {}
    for whole in pictures:
        for level, picture in enumerate(pyramid(whole, levels)):
            for layer, feats in lossnet.features(picture, layers).items():
                found.setdefault((level, layer), []).append(statistics(feats, kind="covariance"))
    return {
        key: Statistics(torch.cat([one.matrix for one in each]), torch.cat([one.mean for one in each]))
        for key, each in found.items()
    }


def products(narrow: Statistics, wide: Statistics, *, mean_weight: float) -> Tensor:
    """Inner products (M, M), float64, of the pictures in the space where squared distance is the style loss.

    Losses that are summed are products that are summed. Energies are the mean over all M pictures: the loss divides
    by its target's, which would make the distance from A to B another than from B to A.
    """
    total: Tensor = torch.zeros(())
    for one, other, weight in zip(narrow, wide, (1.0, mean_weight), strict=True):
        flat_MD = torch.cat([one, other]).flatten(1).double()
        flat_MD = flat_MD * (weight / energy(flat_MD).mean().clamp_min(1e-300)).sqrt()
        # About the middle of both: differences of large numbers lose their digits.
        flat_MD = flat_MD - flat_MD.mean(dim=0)
        total = total + flat_MD @ flat_MD.T
    return total


def separation(products_MM: Tensor) -> Separation:
    """From the inner products of N pictures of one width and then N of the other, of the same subjects in order."""
    count = len(products_MM) // 2
    squares = products_MM.diagonal()
    distances = squares[:, None] + squares[None, :] - 2 * products_MM
    others = ~torch.eye(count, dtype=torch.bool)
    narrow, wide, across = distances[:count, :count], distances[count:, count:], distances[:count, count:]
    return Separation(
        d_prime=_d_prime(products_MM),
        d_prime_error=_jackknife_error(products_MM),
        distance=float(across[others].mean()),
        within=float((narrow[others].mean() + wide[others].mean()) / 2),
    )


def _d_prime(products_MM: Tensor) -> float:
    """Each subject is judged by the means of the others, which it is not part of; else noise would look like skill."""
    count = len(products_MM) // 2
    subjects = torch.arange(count)
    others_NN = (1 - torch.eye(count, dtype=products_MM.dtype)) / (count - 1)
    none_NN = torch.zeros_like(others_NN)
    narrow_NM, wide_NM = torch.cat([others_NN, none_NN], dim=1), torch.cat([none_NN, others_NN], dim=1)
    towards_NM = (wide_NM - narrow_NM) @ products_MM
    middle_N = (towards_NM * (narrow_NM + wide_NM) / 2).sum(dim=1)
    narrow, wide = (towards_NM[subjects, side * count + subjects] - middle_N for side in range(2))
    spread = float(((narrow.var() + wide.var()) / 2).sqrt())
    if spread == 0:
        return 0.0
    unbiased = 1 - 3 / (4 * (2 * count - 2) - 1)  # few pictures understate the spread (Hedges 1981)
    return unbiased * float(wide.mean() - narrow.mean()) / spread


def _jackknife_error(products_MM: Tensor) -> float:
    """Standard error of d' from leaving out one subject at a time, at both widths (Tukey 1958)."""
    count = len(products_MM) // 2
    found = []
    for subject in range(count):
        kept = torch.arange(2 * count) % count != subject
        found.append(_d_prime(products_MM[kept][:, kept]))
    return math.sqrt((count - 1) ** 2 / count * variance(found))


def _cell(
    names: tuple[str, ...],
    levels: tuple[int, ...],
    widths: Sequence[float],
    grams: Mapping[Key, Tensor],
    energies: Mapping[Key, float],
) -> Cell:
    keys = [(level, layer) for level in levels for layer in names]
    total = sum((grams[key] for key in keys), torch.zeros(()))
    narrow, wide = widths
    return Cell(names, levels, narrow, wide, separation(total), sum(energies[key] for key in keys))
