"""Paints consecutive frames so that they flicker less: at the same places of the network's grid, statistics held.

A moving camera's picture is laid on a canvas such that it keeps its place on the grid (see `anchor`). Instance norm
looks at the whole frame: when something enters it, colours and contrast change everywhere at once. Here each norm layer
uses an exponential mean of its statistics over the frames so far, in the same pass.

Shape letters: B batch of consecutive frames, H W frame size, h w size of the stroke map, K styles.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from brushnet.inference.video.anchor import CELL_PX, on_canvas
from brushnet.inference.video.watcher import Look
from brushnet.models import StyleModel
from brushnet.nets.norm import Carried, Moments
from brushnet.stroke_map import fit_map
from brushnet.style_mix import Style, style_weights

# Of 0.25 to 4 s the longest flickers least (starry-night, s = 1, percent of the contrast a frame; a thing that passes:
# 8.9 without, 2.8 and 1.2 with 1 and 4 s; a pan of 3 px: 11.6, 10.5 and 10.3). But for that long a camera that turns to
# something else paints it by what it has seen before.
HOLD_S = 2.0


class SteadyPainter:
    """Call it on one batch of frames after the other. `hold_s` 0: each with its own statistics; see also `grid`."""

    def __init__(self, model: StyleModel, *, style: Style = None, hold_s: float = HOLD_S, grid: bool = True):
        assert hold_s >= 0
        self.model, self.hold_s, self.grid = model, hold_s, grid
        self.weights_1K = torch.tensor([style_weights(style, model.style_names)], device=model.device)
        self.held: list[Moments] = []
        self.time_s = 0.0

    def __call__(
        self, frames_B3HW: Tensor, stroke: float | Tensor, looks: Sequence[Look], *, cell: int = CELL_PX
    ) -> Tensor:
        """Paintings (B, 3, H, W) in [0, 1]. `stroke`, within the trained range, holds for all of the batch.

        What was before a cut is forgotten. On the grid frames are laid on a canvas of cells of `cell` px.
        """
        if self.hold_s:
            gains = torch.tensor([look.gain for look in looks], device=frames_B3HW.device)
            frames_B3HW = frames_B3HW * gains.view(-1, 1, 1, 1)
        if not self.grid:
            return self._paint_batch(frames_B3HW, stroke, looks)
        height, width = frames_B3HW.shape[-2:]
        laid = [on_canvas(frame, look.moved, cell) for frame, look in zip(frames_B3HW, looks, strict=True)]
        painted = self._paint_batch(torch.stack([canvas for canvas, _ in laid]), stroke, looks)
        places = zip(painted, [place for _, place in laid], strict=True)
        return torch.stack([each[:, top : top + height, left : left + width] for each, (left, top) in places])

    def _paint_batch(self, frames_B3HW: Tensor, stroke: float | Tensor, looks: Sequence[Look]) -> Tensor:
        log2_stroke = self._log2(stroke, (frames_B3HW.shape[2], frames_B3HW.shape[3]))
        painted = []
        start = 0
        if not self.held:  # the first frame of all says how many statistics there are
            painted.append(self._paint(frames_B3HW[:1], log2_stroke, None))
            self.time_s, start = looks[0].time_s, 1
        if start < len(frames_B3HW):
            painted.append(self._paint(frames_B3HW[start:], log2_stroke, self._shares(looks[start:])))
        self.time_s = looks[-1].time_s
        return torch.cat(painted).float().clamp_(0, 1)

    def _log2(self, stroke: float | Tensor, size: tuple[int, int]) -> Tensor:
        if self.model.stroke_mode != "conditioned":
            return torch.zeros(1, 1, 1, 1, device=self.model.device)
        scales = torch.as_tensor(stroke, dtype=torch.float32, device=self.model.device)
        return fit_map(scales.log2().reshape(1, 1, *scales.shape[-2:] if scales.ndim else (1, 1)), size)

    def _paint(self, frames: Tensor, log2_stroke: Tensor, shares: Tensor | None) -> Tensor:
        frames = frames.to(self.model.device, torch.float32)
        known = None if shares is None else [Carried(each, shares) for each in self.held]
        painted, moments = self.model.net.paint_with_moments(frames, log2_stroke, self.weights_1K, moments=known)
        self.held = [(mean[-1:], var[-1:]) for mean, var in moments]
        return painted

    def _shares(self, looks: Sequence[Look]) -> Tensor:
        """(B, 1 + B): how much of what is held and of each frame's own counts for each frame."""
        rows = torch.zeros(len(looks), 1 + len(looks))
        row = torch.zeros(1 + len(looks))
        row[0] = 1
        before = self.time_s
        for place, look in enumerate(looks):
            keep = 0.0 if look.cut or not self.hold_s else math.exp(-max(look.time_s - before, 0) / self.hold_s)
            row = row * keep
            row[1 + place] += 1 - keep
            rows[place], before = row, look.time_s
        return rows.to(self.model.device)
