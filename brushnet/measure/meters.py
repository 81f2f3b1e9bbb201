"""What a picture's stroke scale is measured by: one painting's statistics as one encoder sees them.

The one place where a control curve meets the matched scale.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from brushnet.errors import UserError
from brushnet.measure.control import DISTANCE, MATCHED
from brushnet.measure.encoders import open_encoder
from brushnet.measure.matched import Match, PaintingStatistics, matched_octaves, painting_statistics
from brushnet.strokes import Painting

DEFAULT_ENCODER = "steerable"
# A larger picture is measured on tiles, four at most: what an encoder holds of 4096 px would be tens of gigabytes.
LARGEST_PIXELS = 1_500_000
TILE_PX = 768
TILES_ASIDE = 2

# A network and what was distilled from it see alike. By what a name contains.
FAMILIES = {
    "compact": "VGG-19",
    "vgg19": "VGG-19",
    "vgg16": "VGG-16",
    "squeezenet": "SqueezeNet",
    "steerable": "filters",
}


class Meter(NamedTuple):
    """`name` is what its figures are called by: matched_octaves/NAME."""

    name: str
    statistics: PaintingStatistics

    @property
    def octaves(self) -> tuple[float, float]:
        """The smallest and the largest scale that it can tell."""
        return float(self.statistics.octaves[0]), float(self.statistics.octaves[-1])

    def match(self, picture_13HW: Tensor) -> Match:
        """As `matched_octaves`; of a picture of more than LARGEST_PIXELS the medians over four tiles."""
        matches = [matched_octaves(tile, self.statistics) for tile in _tiles(picture_13HW)]
        return Match(*(_median(column) for column in zip(*matches, strict=True)))


def encoder_name(source: str) -> str:
    """The source itself, of a file its name without folder and suffix."""
    return Path(source).stem if Path(source).is_file() else source


def open_meters(sources: Sequence[str], painting: Painting) -> list[Meter]:
    """Encoders by name or file (see `open_encoder`). UserError for what is none, and for two of one name."""
    names = [encoder_name(source) for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--encoder {name} is given twice; figures are told apart by the encoder's name")
    textures = [open_encoder(source) for source in sources]
    return [
        Meter(name, painting_statistics(painting, texture=texture))
        for name, texture in zip(names, textures, strict=True)
    ]


def scale_judge(meters: Sequence[Meter]) -> Callable[[Tensor, Tensor | None, float], Mapping[str, float]]:
    """For `control_curve`: the matched scale alone, by each of the meters."""
    return lambda picture, photo, stroke: matched_figures(picture, meters)


def matched_figures(picture_13HW: Tensor, meters: Sequence[Meter]) -> dict[str, float]:
    """`matched_octaves/NAME` and `distance/NAME` for each meter, NaN where there is no texture to measure."""
    figures = {}
    for meter in meters:
        match = meter.match(picture_13HW)
        figures[f"{MATCHED}/{meter.name}"], figures[f"{DISTANCE}/{meter.name}"] = match.octaves, match.distance
    return figures


def kinship(encoder: str, lossnet: str | None) -> str:
    """How an encoder stands to the network that a model was trained by; both by name.

    `own` where it is that network, `relative` where one of them was distilled or cut from the other, `independent`, and
    `unknown` where the names do not tell. What measures by `own` or `relative` flatters the model.
    """
    if _family(encoder) == "filters":  # learned from nothing
        return "independent"
    if lossnet is None:
        return "unknown"
    if Path(lossnet).stem == encoder or lossnet == f"torchvision {encoder}":
        return "own"
    families = {_family(encoder), _family(lossnet)}
    if None in families:
        return "unknown"
    return "relative" if len(families) == 1 else "independent"


def _family(name: str) -> str | None:
    plain = name.lower().replace("-", "").replace("_", "")
    return next((family for part, family in FAMILIES.items() if part in plain), None)


def _tiles(picture_13HW: Tensor) -> list[Tensor]:
    height, width = picture_13HW.shape[-2:]
    if height * width <= LARGEST_PIXELS:
        return [picture_13HW]
    sides = [min(side, TILE_PX) for side in (height, width)]
    tops, lefts = (
        [round((length - side) * (2 * place + 1) / (2 * TILES_ASIDE)) for place in range(TILES_ASIDE)]
        for length, side in zip((height, width), sides, strict=True)
    )
    return [picture_13HW[..., top : top + sides[0], left : left + sides[1]] for top in tops for left in lefts]


def _median(values: Sequence[float]) -> float:
    """NaNs left out, and of an even number the mean of the middle two: infinite where one of these is."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan
