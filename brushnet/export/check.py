"""An export against its network: painted at odd sizes, all stroke scales and whatever else the file takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from brushnet import images, samples
from brushnet.errors import BrushnetError
from brushnet.inference.finish import finish
from brushnet.models import StyleModel

SIZES = ((37, 53), (201, 313), (256, 130))  # height, width: of all remainders by 4
STROKES = 5  # over the trained range, octaves apart alike
STRENGTHS = (0.4, 1.5)
PHOTOS = ("cat", "temple")
FLAT_LEVEL = 0.3

Inputs = dict[str, np.ndarray]
Paint = Callable[[Inputs], np.ndarray]


@dataclass
class Differences:
    """In grey levels of 255: the largest of any pixel, and the largest mean of a painting."""

    largest: float = 0.0
    mean: float = 0.0
    paintings: int = 0
    where: str = field(default="", repr=False)  # the largest one's inputs

    def add(self, painting: np.ndarray, expected: Tensor, name: str) -> None:
        if painting.shape != tuple(expected.shape) or not np.isfinite(painting).all():
            raise BrushnetError(f"the export paints no picture of the photo's size ({name}): nothing was written")
        off = np.abs(painting - expected.numpy()) * 255
        self.paintings += len(painting)
        self.mean = max(self.mean, float(off.mean()))
        if off.max() > self.largest:
            self.largest, self.where = float(off.max()), name

    def check(self, allowed: float) -> None:
        """BrushnetError where the export paints something else than its network."""
        if self.largest > allowed:
            raise BrushnetError(
                f"the export differs from the network by up to {self.largest:.3g}/255 ({self.where}), allowed are "
                f"{allowed:g}/255: nothing was written"
            )


@dataclass(frozen=True)
class Case:
    """One painting to compare."""

    size: tuple[int, int]
    stroke_11hw: Tensor
    style: dict[str, float]
    strength: float = 1.0
    batch: int = 1
    flat: bool = False  # a photo of one colour: there rounding decides, unless it is told not to

    @property
    def name(self) -> str:
        low, high = float(self.stroke_11hw.min()), float(self.stroke_11hw.max())
        stroke = f"{low:.3g}" if low == high else f"map of {low:.3g} to {high:.3g}"
        colour = ", one colour" if self.flat else ""
        return f"{self.size[1]} x {self.size[0]} px{colour}, stroke {stroke}, strength {self.strength:g}"


def compare(model: StyleModel, paint: Paint) -> Differences:
    """`paint` takes the inputs by name and gives the painting; those that the export lacks it leaves out."""
    found = Differences()
    with torch.inference_mode():
        for case in _cases(model):
            photo = torch.full((1, 3, *case.size), FLAT_LEVEL) if case.flat else _photo(case.size, case.batch)
            stroke = case.stroke_11hw if model.stroke_mode == "conditioned" else None
            expected = finish(photo, model(photo, stroke, style=case.style).cpu(), strength=case.strength)
            style = [case.style.get(name, 0.0) for name in model.style_names]
            inputs = {
                "photo": photo.numpy(),
                "stroke": case.stroke_11hw.numpy(),
                "style": np.array([style], np.float32),
                "strength": np.array([case.strength], np.float32),
            }
            found.add(paint(inputs), expected, case.name)
    return found


def _cases(model: StyleModel) -> Iterator[Case]:
    low, high = (np.log2(end) for end in model.stroke_range)
    first = {model.style_names[0]: 1.0}
    middle = _scale((low + high) / 2)
    for size in SIZES:
        for octaves in np.linspace(low, high, STROKES if high > low else 1):
            yield Case(size, _scale(octaves), first)
    for strength in STRENGTHS:
        yield Case(SIZES[1], middle, first, strength=strength)
    yield Case(SIZES[1], middle, first, batch=2)
    yield Case(SIZES[0], _scale(high), first, flat=True)
    if len(model.style_names) > 1:
        yield Case(SIZES[0], middle, {model.style_names[-1]: 1.0})
        yield Case(SIZES[1], middle, {model.style_names[0]: 0.3, model.style_names[-1]: 0.7})
    if model.stroke_mode == "conditioned":
        for size in SIZES:
            yield Case(size, _map(size, low, high), first)
        yield Case(SIZES[1], _map(SIZES[1], low, high), first, batch=2)


def _scale(octaves: float) -> Tensor:
    return torch.full((1, 1, 1, 1), 2.0**octaves)


def _map(size: tuple[int, int], low: float, high: float) -> Tensor:
    """Waves between both ends, of a third of the picture's size."""
    height, width = (max(2, side // 3) for side in size)
    wave_hw = (torch.arange(height)[:, None] / 5 + torch.arange(width) / 9).sin()
    return (low + (high - low) * (wave_hw + 1) / 2).float().exp2()[None, None]


def _photo(size: tuple[int, int], batch: int) -> Tensor:
    photos = [images.read(samples.samples_dir() / "photos" / f"{name}.jpg") for name in PHOTOS[:batch]]
    return torch.cat([images.resize(photo, *size) for photo in photos])
