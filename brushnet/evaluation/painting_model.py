"""A trained model as a system to evaluate.

A model of stroke.mode `mixed` or `fixed` cannot be asked for a stroke. It paints with its own, whatever is requested,
and is measured against every request: the flat line that shows what control is worth, and how far its own strokes are
from the scale that it claims.
"""

import logging
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brushnet import images
from brushnet.evaluation.systems import Opened, Photos, System, Task
from brushnet.models import StyleModel
from brushnet.strokes import SMALLEST_STYLE_PX

log = logging.getLogger(__name__)

DEFAULT_SCALES = 7
FIXED_OCTAVES = 1.5  # to both sides of a fixed model's own stroke
# Memory that painting takes at its peak, for each pixel and unit of net.width: 28.8 at 6.3 megapixels on a CPU.
BYTES_PER_VALUE = 30
UNTELLING = ("model", "last", "best", "checkpoints")  # what every run calls its files


def model_system(
    model: StyleModel,
    photos: Photos,
    *,
    name: str,
    style: int,
    strokes: Sequence[float],
    sizes_px: Sequence[int],
    count: int,
) -> System:
    """The model at every size, photo and scale. A scale outside the trained range is painted as the model clamps it."""
    found, skipped = photos.some(count, largest_px=max(sizes_px))
    for size_px in sizes_px:
        small = sum(min(pixels.shape[-2:]) < size_px for pixels in found.values())
        if small:
            log.info("%d of %d photos are smaller than %d px and are enlarged to it", small, len(found), size_px)
    painted = _painted_with(model, strokes, name=name)
    tasks = [
        Task(
            photo, tuple(strokes), partial(_open, model, pixels, size_px, painted, style), photos.files[photo], size_px
        )
        for size_px in sizes_px
        for photo, pixels in found.items()
    ]
    lossnet = model.meta.training.get("lossnet")
    return System(
        name,
        tasks,
        trained=model.stroke_range,
        mode=model.stroke_mode,
        lossnet=lossnet if isinstance(lossnet, str) else None,
        skipped=skipped,
        style=model.style_names[style],
    )


def default_strokes(model: StyleModel, *, largest_scale: float = math.inf) -> list[float]:
    """Seven scales in equal octaves over the trained range; of a fixed model 1.5 octaves to both sides of its own.

    Those of a fixed model end at `largest_scale`, or at its own where that is larger.
    """
    low, high = (math.log2(stroke) for stroke in model.stroke_range)
    if model.stroke_mode == "fixed":
        smallest, largest = math.log2(SMALLEST_STYLE_PX / model.reference_px), math.log2(largest_scale)
        low, high = max(low - FIXED_OCTAVES, min(smallest, low)), min(high + FIXED_OCTAVES, max(largest, high))
    low_end, *middle, high_end = (2**octave for octave in np.linspace(low, high, DEFAULT_SCALES))
    return [float(f"{low_end:.6g}"), *(float(f"{scale:.3g}") for scale in middle), float(f"{high_end:.6g}")]


def model_name(path_or_name: str) -> str:
    """Short, for legends and tables: of runs/NAME/model.safetensors NAME."""
    path = Path(path_or_name)
    names = (path.stem if path.is_file() else path.name, *(folder.name for folder in path.parents))
    return next((name for name in names if name and name not in UNTELLING), "model")


def _painted_with(model: StyleModel, strokes: Sequence[float], *, name: str) -> dict[float, float]:
    """What the model paints with, by what is requested; says where that differs."""
    if model.stroke_mode == "conditioned":
        return {stroke: float(model.fit_stroke(stroke)) for stroke in strokes}
    log.warning(
        "%s was trained with stroke.mode=%s: it paints with its own stroke %g whatever is asked, and is measured so",
        name,
        model.stroke_mode,
        model.default_stroke,
    )
    return dict.fromkeys(strokes, model.default_stroke)


def _open(model: StyleModel, pixels_3HW: Tensor, size_px: int, painted: dict[float, float], style: int) -> Opened:
    photo = images.resize_short_side(images.to_float(pixels_3HW)[None], size_px)
    last: dict[float, Tensor] = {}  # one picture: several requests may be painted alike, and all of 4096 px are many

    @torch.inference_mode()
    def paint(stroke: float) -> Tensor:
        told = painted[stroke]
        if told not in last:
            last.clear()
            _check_memory(model, photo)
            last[told] = model(photo, told, style=style).cpu()
        return last[told]

    return Opened(photo, paint)


def _check_memory(model: StyleModel, photo_13HW: Tensor) -> None:
    """MemoryError where painting would take more than is free: Linux would kill the whole evaluation instead."""
    needed = BYTES_PER_VALUE * model.meta.width * photo_13HW[0, 0].numel()
    free = _free_bytes() if model.device.type == "cpu" else math.inf
    if needed > free:
        raise MemoryError(f"about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free")


def _free_bytes() -> float:
    """Infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return math.inf
