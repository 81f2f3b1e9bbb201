"""Everything that is measured in one picture: its stroke scale, its style and content losses, its likeness."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from brushnet.baselines.features import style_targets
from brushnet.losses import Key, LossSpec, StyleTarget
from brushnet.lossnet import LossNetwork
from brushnet.measure.likeness import palette, palette_distance, ssim
from brushnet.measure.lpips import Lpips
from brushnet.measure.meters import Meter, matched_figures
from brushnet.strokes import Painting
from brushnet.training.objective import loss_terms

STYLE, CONTENT, SSIM, LPIPS, PALETTE = "style_loss", "content_distance", "ssim", "lpips", "palette_distance"


class Judge:
    """Call it: `judge(picture_13HW, photo_13HW or None, stroke)` -> figures by name; for `control_curve`.

    `style_loss`: the training loss's style term against S_s, before any weight: 0 for S_s itself. `content_distance`:
    its content term, at the level of s = 1 whatever s is, so that all are judged alike. `ssim`, `lpips` (where it is
    given): to the photo, as `content_distance` NaN without one. `palette_distance`: to the painting.
    """

    def __init__(
        self,
        painting: Painting,
        *,
        meters: Sequence[Meter],
        lossnet: LossNetwork,
        spec: LossSpec,
        lpips: Lpips | None = None,
    ):
        self.painting, self.meters, self.lossnet, self.lpips = painting, meters, lossnet, lpips
        self.spec = replace(spec, style_weight=1.0, content_weight=1.0)
        self.palette = palette(painting.render(1.0))
        self.targets: dict[float, dict[Key, StyleTarget]] = {}

    @torch.inference_mode()
    def __call__(self, picture_13HW: Tensor, photo_13HW: Tensor | None, stroke: float) -> Mapping[str, float]:
        style, content = self._losses(picture_13HW, photo_13HW, stroke)
        return {
            **matched_figures(picture_13HW, self.meters),
            STYLE: style,
            CONTENT: content,
            SSIM: math.nan if photo_13HW is None else ssim(picture_13HW, photo_13HW),
            **self._lpips(picture_13HW, photo_13HW),
            PALETTE: palette_distance(palette(picture_13HW), self.palette),
        }

    def _losses(self, picture_13HW: Tensor, photo_13HW: Tensor | None, stroke: float) -> tuple[float, float]:
        if stroke not in self.targets:
            self.targets[stroke] = style_targets(self.painting.render(stroke), self.lossnet, self.spec)
        photo = picture_13HW if photo_13HW is None else photo_13HW
        terms = loss_terms(picture_13HW, photo, self.targets[stroke], lossnet=self.lossnet, spec=self.spec)
        style = sum(float(term) for name, term in terms.items() if name.startswith("style/"))
        return style, math.nan if photo_13HW is None else float(terms["content"])

    def _lpips(self, picture_13HW: Tensor, photo_13HW: Tensor | None) -> dict[str, float]:
        if self.lpips is None:
            return {}
        return {LPIPS: math.nan if photo_13HW is None else self.lpips(picture_13HW, photo_13HW)}
