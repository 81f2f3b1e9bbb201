"""The saved style model: load it from a file, a run or by name, and call it on photos.

>>> model = load("runs/starry-night")  # doctest: +SKIP
>>> painted_B3HW = model(photo_B3HW, stroke=1.5)  # doctest: +SKIP

Shape letters: B batch, H W picture size, h w size of a stroke map, K styles.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from brushnet.devices import pick_device
from brushnet.errors import UserError
from brushnet.model_file import read, save
from brushnet.model_location import locate
from brushnet.model_meta import ModelMeta
from brushnet.nets import Replays, ResidualTransformer
from brushnet.stroke_map import check_aspect, fit_map
from brushnet.style_mix import Style, style_index, style_weights

__all__ = ["ModelMeta", "StyleModel", "load", "save"]

log = logging.getLogger(__name__)

Stroke = float | Tensor | None  # a scale, (B,) scales or a (1 or B, 1, h, w) map of them; None: the model's own

CHANNELS_LAST = ("cpu", "cuda")
BATCH_PIXELS = 1 << 20  # of photos that are painted together: on a GPU more gain little, on a CPU nothing


def load(path_or_name: str | Path, *, device: str = "auto") -> "StyleModel":
    """Style model from a .safetensors, a training checkpoint (.ckpt, its averaged weights), a run folder or by name.

    A name is that of an embedded model; a file or folder of that name comes first. `device` is auto (the first of cuda,
    mps and cpu that is here), cpu, cuda, cuda:N or mps. UserError says what is wrong.
    """
    target = pick_device(device)
    meta, net = read(locate(path_or_name))
    return StyleModel(net, meta).to(target)


class StyleModel:
    """A network with the stroke range it was trained for. Call it: `model(photo_B3HW, stroke=1.0)`.

    Calls change nothing, so that any number of threads may share a model, who take turns where it replays; `to`,
    `compile` and `replay` come before them.
    """

    def __init__(self, net: ResidualTransformer, meta: ModelMeta):
        self.net, self.meta = net, meta
        self.replays: Replays | None = None

    @property
    def stroke_range(self) -> tuple[float, float]:
        """Smallest and largest trained stroke scale."""
        return self.meta.stroke_min, self.meta.stroke_max

    @property
    def stroke_mode(self) -> str:
        """`conditioned` takes any stroke in its range; `mixed` and `fixed` models have one only, their own."""
        return self.meta.stroke_mode

    @property
    def default_stroke(self) -> float:
        """Stroke scale of a call that names none: 1.0, or the end of the trained range that is nearest to it."""
        return min(max(1.0, self.meta.stroke_min), self.meta.stroke_max)

    @property
    def reference_px(self) -> int:
        """Short side of the painting at stroke scale 1."""
        return self.meta.reference_px

    @property
    def style_names(self) -> tuple[str, ...]:
        return self.meta.style_names

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def to(self, device: str | torch.device) -> "StyleModel":
        """Moves the network, and lays its weights out as this device's convolutions are fastest with."""
        self.net.to(device)
        if self.device.type in CHANNELS_LAST:
            self.net.to(memory_format=torch.channels_last)
        return self

    def __call__(
        self, photo_B3HW: Tensor, stroke: Stroke = None, *, style: Style = None, strict: bool = False
    ) -> Tensor:
        """Painting in [0, 1], (B, 3, H, W) on the model's device, of an RGB photo in [0, 1] of any size.

        `stroke` outside the trained range is clamped with a warning, or refused (UserError) if `strict`. A stroke map
        must have the photo's aspect ratio; it is smoothed, and needs no more than a point for every 16 px of the photo.
        `style` is a name or index of `style_names`, by default the first, or a mixture: {"a": 0.3, "b": 0.7}.
        """
        check_photo(photo_B3HW)
        scales_B1hw = self._as_map(self.fit_stroke(stroke, strict=strict), photo_B3HW.shape)
        # Only conditioned networks are told: the others saw log2 s = 0 throughout their training.
        log2_stroke = scales_B1hw.log2() if self.stroke_mode == "conditioned" else torch.zeros(1, 1, 1, 1)
        with torch.no_grad():
            photo = photo_B3HW.to(self.device, torch.float32)
            # On the CPU: the network reads them, and would have to wait for a GPU.
            log2_map = fit_map(log2_stroke.cpu(), (photo.shape[2], photo.shape[3]))
            weights_1K = torch.tensor([style_weights(style, self.style_names)])
            paint = self.replays if self.replays and self.device.type == "cuda" else self.net
            painted = paint(photo, log2_map, weights_1K)
        return painted.float().clamp(0, 1)

    def paint_all(
        self,
        photos: Sequence[Tensor],
        stroke: float | Sequence[float] | None = None,
        *,
        style: Style = None,
        strict: bool = False,
    ) -> list[Tensor]:
        """Paintings of photos of any sizes, each (1, 3, H, W) like its photo and in their order.

        Photos of one size go through the network together. `stroke` is one scale for all, or one for each photo.
        """
        for photo in photos:
            check_photo(photo)
            if len(photo) > 1:
                raise UserError(f"photos must be a list of (1, 3, H, W), got one of shape {tuple(photo.shape)}")
        scales = _each_scale(stroke, len(photos))
        painted: dict[int, Tensor] = {}
        for batch in _alike(photos):
            chosen = [scales[number] for number in batch]
            together = None if stroke is None else torch.tensor(chosen, dtype=torch.float32)
            paintings = self(torch.cat([photos[number] for number in batch]), together, style=style, strict=strict)
            painted.update(zip(batch, paintings.split(1), strict=True))
        return [painted[number] for number in range(len(photos))]

    def compile(self, **options: Any) -> "StyleModel":
        """Compiles what computes, by torch.compile with these options. The first call then takes up to a minute.

        Returns itself. Sizes may vary: torch compiles once more, for any size, when it sees a second one. On a CUDA
        device the compiled model is replayed, too.
        """
        self.net.compile(**options)
        return self.replay()

    def replay(self) -> "StyleModel":
        """On a CUDA device, records what is painted a second time at a size and stroke, and replays it from then on.

        That leaves the host next to nothing to do. Weights must not change any more; the last four sizes and strokes
        are kept, each with the memory of a painting. Returns itself.
        """
        self.replays = Replays(self.net)
        return self

    def fit_stroke(self, stroke: Stroke, *, strict: bool = False) -> float | Tensor:
        """The stroke scale (or scales) that a call with `stroke` paints with."""
        if stroke is None:
            return self.default_stroke
        values = _positive(stroke)
        low, high = self.stroke_range
        if self.stroke_mode != "conditioned":
            if not torch.allclose(values, torch.tensor(self.default_stroke, dtype=values.dtype)):
                raise UserError(
                    f"stroke {_span(values)}: this model was trained with stroke.mode={self.stroke_mode} and paints "
                    f"with its own stroke {self.default_stroke:g} only; leave the stroke out"
                )
            return self.default_stroke
        fitted = values.clamp(low, high)
        # Not `!=`: 2.8 in float32 is not 2.8, and no reader would see what the warning is about.
        if not torch.allclose(fitted, values, rtol=1e-4, atol=0):
            message = f"stroke {_span(values)} is outside the trained range {low:g} to {high:g}"
            if strict:
                raise UserError(message)
            log.warning("%s: clamped", message)
        return fitted if isinstance(stroke, Tensor) and stroke.ndim else float(fitted)

    def style_index(self, style: str | int | None) -> int:
        """Index of a style by name or index; UserError lists the names."""
        return style_index(style, self.style_names)

    def _as_map(self, scales: float | Tensor, photo_shape: torch.Size) -> Tensor:
        values = torch.as_tensor(scales, dtype=torch.float32)
        batch, _, height, width = photo_shape
        if values.ndim <= 1 and values.numel() in (1, batch):
            return values.reshape(-1, 1, 1, 1)
        if values.ndim == 4 and values.shape[0] in (1, batch) and values.shape[1] == 1:
            check_aspect((values.shape[2], values.shape[3]), (height, width))
            return values
        raise UserError(
            f"stroke must be one number, one for each photo (B,) or a map (1 or B, 1, h, w), here with B = {batch}, "
            f"got shape {tuple(values.shape)}"
        )


def check_photo(photo: Tensor) -> None:
    """UserError for what a model cannot paint, as a single picture without its batch axis."""
    fits = isinstance(photo, Tensor) and photo.ndim == 4 and photo.shape[1] == 3 and photo.is_floating_point()
    if not fits or photo.numel() == 0:
        got = f"{photo.dtype} {tuple(photo.shape)}" if isinstance(photo, Tensor) else type(photo).__name__
        raise UserError(f"photo must be a float tensor (B, 3, H, W) with RGB in [0, 1], got {got}")


def _each_scale(stroke: float | Sequence[float] | None, photos: int) -> Sequence[float | None]:
    if stroke is None or isinstance(stroke, (int, float)):
        return [stroke] * photos
    if len(stroke) != photos:
        raise UserError(f"stroke must be one number, or one for each of the {photos} photos, got {len(stroke)}")
    for scale in stroke:
        _positive(scale)
    return stroke


def _alike(photos: Sequence[Tensor]) -> list[list[int]]:
    """Numbers of the photos that are painted together: of one size, and no more than BATCH_PIXELS."""
    open_batches: dict[tuple[int, ...], list[int]] = {}
    batches: list[list[int]] = []
    for number, photo in enumerate(photos):
        height, width = size = tuple(photo.shape[-2:])
        batch = open_batches.get(size)
        if batch is None or (len(batch) + 1) * height * width > BATCH_PIXELS:
            batch = open_batches[size] = []
            batches.append(batch)
        batch.append(number)
    return batches


def _positive(stroke: float | Tensor) -> Tensor:
    if not isinstance(stroke, (int, float, Tensor)) or isinstance(stroke, bool):
        got = repr(stroke) if isinstance(stroke, (str, bool)) else type(stroke).__name__  # an array takes many lines
        raise UserError(f"stroke must be a number above 0 or a tensor of such, got {got}")
    values = torch.as_tensor(stroke).double()
    wrong = ~(values.isfinite() & (values > 0))
    if values.numel() == 0 or wrong.any():
        share = f" at {int(wrong.sum())} of {wrong.numel()} points" if values.ndim == 4 else ""
        raise UserError(f"stroke must be a finite number above 0, got {_span(values[wrong])}{share}")
    return values


def _span(values: Tensor) -> str:
    if values.numel() == 0:
        return "no number"
    low, high = float(values.min()), float(values.max())
    return f"{low:g}" if low == high or math.isnan(low) else f"{low:g} to {high:g}"
