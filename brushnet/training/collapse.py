"""A network that has collapsed, told by its validation paintings: a flat colour, saturated, the same for all photos.

The loss goes on being finite then, and the gradient of a saturated network is zero: nothing mends it but starting again
from before.

Shape letters: B batch, H W picture size.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.strokes import Painting

log = logging.getLogger(__name__)

# Measured on 14 photos of 128 px, default options. Contrast: 0.066 to 0.086 of untrained networks, 0.13 to 0.20 of the
# embedded and of new models at s from 0.35 to 2.8, 0.07 to 0.27 of real paintings; 0 to 0.014 of collapsed networks.
# Difference of thumbnails: 0.036 to 0.062 untrained, 0.07 to 0.25 trained; 0 to 0.0023 collapsed. Saturated: less than
# 0.001; 1.0 collapsed.
SMALLEST_CONTRAST = 0.02  # standard deviation over the pixels
SMALLEST_DIFFERENCE = 0.01  # mean absolute, of two photos' paintings reduced to THUMBNAIL_PX
SHARE_OF_PAINTING = 0.25  # of a painting with less contrast than others no more can be asked
THUMBNAIL_PX = 16  # layout without strokes


class Seen(NamedTuple):
    """Of each photo and its painting, (B,); thumbnails are (B, 3, 16, 16)."""

    contrast: Tensor
    photo_contrast: Tensor
    saturated: Tensor
    thumbnail: Tensor
    photo_thumbnail: Tensor


class CollapseWatch:
    """Collects what a validation paints, then warns, once for each kind of collapse until it is over."""

    def __init__(self, paintings: Sequence[Painting], *, learning_rate: float):
        self.names = [painting.name for painting in paintings]
        pictures = [painting.render(min(1.0, painting.largest_scale)) for painting in paintings]
        self.contrast = [float(contrast_of(picture)) for picture in pictures]
        self.saturated = [float(saturated_share(picture)) for picture in pictures]
        self.learning_rate = learning_rate
        self.seen: dict[tuple[int, float], list[Seen]] = {}
        self.warned: set[str] = set()

    def see(self, painted_B3HW: Tensor, photo_B3HW: Tensor, style_B: Tensor, *, scale: float) -> None:
        """Paintings at stroke scale `scale`, of the style with that index."""
        painted, photo = painted_B3HW.float(), photo_B3HW.float()
        found = Seen(
            contrast_of(painted),
            contrast_of(photo),
            saturated_share(painted),
            F.adaptive_avg_pool2d(painted, THUMBNAIL_PX),
            F.adaptive_avg_pool2d(photo, THUMBNAIL_PX),
        )
        for row, style in enumerate(style_B.tolist()):
            of_photo = Seen(*(value[row : row + 1] for value in found))
            self.seen.setdefault((style, scale), []).append(of_photo)

    def judge(self, *, step: int) -> None:
        """Warns of what was seen since the last call, and forgets it."""
        told: dict[str, str] = {}
        for (style, scale), rows in self.seen.items():
            seen = Seen(*(torch.cat(values) for values in zip(*rows, strict=True)))
            for kind, figures in self._verdicts(style, seen):
                told.setdefault(kind, f"{figures} (s = {scale:g}, {self.names[style]})")
        self.seen.clear()
        fresh = [figures for kind, figures in told.items() if kind not in self.warned]
        if fresh:
            log.warning("collapse at step %d: %s; %s", step, "; ".join(fresh), self._remedies())
        for kind in sorted(self.warned - told.keys()):
            log.info("step %d: the paintings are no longer %s", step, kind)
        self.warned = set(told)

    def _verdicts(self, style: int, seen: Seen) -> list[tuple[str, str]]:
        """What is wrong with the paintings of one style at one scale: kind, and the figure with its limit."""
        found = []
        smallest = min(SMALLEST_CONTRAST, SHARE_OF_PAINTING * self.contrast[style])
        contrast = _median(seen.contrast[seen.photo_contrast > smallest])
        if contrast is not None and contrast < smallest:
            found.append(("flat", f"the paintings are one flat colour: contrast {contrast:.2g}, below {smallest:.2g}"))
        most = (1 + self.saturated[style]) / 2
        saturated = _median(seen.saturated)
        if saturated is not None and saturated > most:
            told = f"the paintings are saturated: {saturated:.0%} of their values are 0 or 1, above {most:.0%}"
            found.append(("saturated", told))
        least = smallest * SMALLEST_DIFFERENCE / SMALLEST_CONTRAST
        difference = _median(_differences(seen.thumbnail)[_differences(seen.photo_thumbnail) > least])
        if difference is not None and difference < least:
            told = f"the paintings of all photos are the same: they differ by {difference:.2g}, below {least:.2g}"
            found.append(("the same", told))
        return found

    def _remedies(self) -> str:
        lower = f"trainer.learning_rate={self.learning_rate / 3:.2g}"
        return (
            "it rarely mends itself; usual remedies: go on from a checkpoint of before (brushnet train resume=FILE "
            f"{lower} --fork, FILE being the run's checkpoints/best.ckpt or one of checkpoints/step_*.ckpt), a lower "
            "loss.style_weight or loss.tv_weight, trainer.precision=32-true"
        )


def contrast_of(picture_B3HW: Tensor) -> Tensor:
    """Standard deviation over the pixels, mean of the channels. Returns (B,)."""
    return picture_B3HW.std(dim=(2, 3), correction=0).mean(dim=1)


def saturated_share(picture_B3HW: Tensor) -> Tensor:
    """Part of the values that are black or full, as 8 bits show them. Returns (B,)."""
    return ((picture_B3HW < 0.5 / 255) | (picture_B3HW > 254.5 / 255)).float().mean(dim=(1, 2, 3))


def _differences(thumbnails_B3HW: Tensor) -> Tensor:
    """Mean absolute difference of each from the next. Returns (B - 1,)."""
    return thumbnails_B3HW.diff(dim=0).abs().mean(dim=(1, 2, 3))


def _median(values: Tensor) -> float | None:
    return float(values.median()) if len(values) else None
