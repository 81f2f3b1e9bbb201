"""Stroke scale: how large the painting's strokes appear in the output.

One unit everywhere: s = stroke width in the output / stroke width in the painting at its reference size. `log2 s` is in
octaves. S_s, the painting at scale s, is the painting resized, antialiased, to a short side of s * reference_px.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images, seeds
from brushnet.errors import UserError

log = logging.getLogger(__name__)

SMALLEST_CONTRAST = 1.0  # standard deviation in grey levels of 0 to 255
SMALLEST_STYLE_PX = 32  # below this a rendered painting has no statistics to speak of


@dataclass(frozen=True)
class StrokeRange:
    """Trained stroke scales. `mode` is `conditioned`, `mixed` or `fixed`, where min and max are equal.

    In training `group` consecutive samples share one scale, so that a network which works at a resolution of its own
    for each scale paints them together. With `spread` any few groups in a row cover the range about evenly, where
    independent draws leave holes and heaps.
    """

    min: float
    max: float
    mode: str = "conditioned"
    group: int = 1
    spread: bool = False

    @property
    def octaves(self) -> tuple[float, float]:
        """log2 of both ends."""
        return math.log2(self.min), math.log2(self.max)

    def sample(self, seed: int, indices_B: Tensor) -> Tensor:
        """log2 s of each global sample index, uniform over the range in octaves. Returns (B,).

        Groups are counted from sample 0: those of as many samples as a batch are its batches, on any rank.
        """
        draw = seeds.spread if self.spread else seeds.uniform
        return draw(seed, "stroke", indices_B // self.group, *self.octaves)

    def told(self, log2_stroke_B: Tensor) -> Tensor:
        """What the network is told: log2 s, or 0 where the mode keeps it from knowing. Returns (B, 1, 1, 1)."""
        known = log2_stroke_B if self.mode == "conditioned" else torch.zeros_like(log2_stroke_B)
        return known.view(-1, 1, 1, 1)

    def grid(self, step_octaves: float) -> Tensor:
        """log2 s from end to end in equal steps of at most `step_octaves`. Returns (K,)."""
        low, high = self.octaves
        return torch.linspace(low, high, 1 + math.ceil((high - low) / step_octaves - 1e-9))

    def inside(self, scales: Sequence[float]) -> list[float]:
        """These scales moved into the range, in order, doubles dropped."""
        return sorted({min(max(scale, self.min), self.max) for scale in scales})


class Painting:
    """A style picture that can be rendered at any stroke scale."""

    def __init__(self, pixels_3HW: Tensor, *, name: str, reference_px: int):
        self.pixels, self.name, self.reference_px = pixels_3HW, name, reference_px
        self.short_px = min(pixels_3HW.shape[-2:])

    @classmethod
    def open(cls, path: Path, *, reference_px: int) -> "Painting":
        """Raises UserError where the file is missing or no picture."""
        if not path.is_file():
            raise UserError(f"style.files: {path} does not exist; give picture files")
        try:
            pixels = images.read_uint8(path)
        except images.ImageError as err:
            raise UserError(f"style.files: {path} cannot be read: {err}") from err
        return cls(pixels, name=path.stem, reference_px=reference_px)

    @property
    def largest_scale(self) -> float:
        """Scale at which the file is used pixel for pixel; larger ones enlarge it."""
        return self.short_px / self.reference_px

    def check(self, stroke: StrokeRange) -> None:
        """Says so where the range enlarges the file; raises UserError where there is nothing to learn from it."""
        if self.pixels.float().std(dim=(1, 2)).max() < SMALLEST_CONTRAST:
            raise UserError(f"style.files: {self.name} is all of one colour; a painting with brushstrokes is needed")
        if stroke.min * self.reference_px < SMALLEST_STYLE_PX:
            raise UserError(
                f"stroke.min={stroke.min:g} shrinks the painting to {stroke.min * self.reference_px:.0f} px; "
                f"stroke.min * style.reference_px must be at least {SMALLEST_STYLE_PX}"
            )
        if stroke.max > self.largest_scale * 1.01:
            log.warning(
                "style.files: %s is %d px on its short side; stroke scales above %.2f (stroke.max=%g) enlarge it and "
                "blur its largest strokes. A larger file or a smaller style.reference_px avoids that.",
                self.name,
                self.short_px,
                self.largest_scale,
                stroke.max,
            )

    def render(self, scale: float) -> Tensor:
        """S_s whole: float (1, 3, H, W) in [0, 1], short side scale * reference_px."""
        short_px = max(1, round(scale * self.reference_px))
        return images.to_float(images.resize_short_side(self.pixels, short_px))[None]

    def random_crop(self, scale: float, crop_px: int, *, seed: int, index: int) -> Tensor:
        """A crop of S_s, float (1, 3, h, w), h and w crop_px or, where S_s is smaller, its own size.

        The crop is cut from the file and then resized: S_s itself need not be rendered.
        """
        zoom = self.largest_scale / scale  # file pixels per S_s pixel
        sizes = [min(crop_px, max(1, round(side / zoom))) for side in self.pixels.shape[-2:]]
        boxes = [
            min(side, max(1, round(size * zoom))) for side, size in zip(self.pixels.shape[-2:], sizes, strict=True)
        ]
        draws = seeds.rng(seed, "style crop", index).uniform(size=2)
        top, left = (
            int(draw * (side - box + 1)) for draw, side, box in zip(draws, self.pixels.shape[-2:], boxes, strict=True)
        )
        box = self.pixels[:, top : top + boxes[0], left : left + boxes[1]]
        return images.to_float(images.resize(box, *sizes))[None]
