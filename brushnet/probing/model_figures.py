"""What trained models paint at stroke scales that they were and were not trained for, in figures."""

from collections.abc import Callable, Mapping, Sequence
from math import isnan, log2, nan
from pathlib import Path
from statistics import fmean

from torch import Tensor

from brushnet import images
from brushnet.baselines.features import style_targets
from brushnet.errors import UserError
from brushnet.losses import Key, LossSpec, StyleTarget, style_distance
from brushnet.lossnet import LossNetwork
from brushnet.measure.fine_detail import detail_decibels
from brushnet.measure.meters import matched_figures, open_meters
from brushnet.models import StyleModel, load
from brushnet.probing.claim_models import ModelFigures
from brushnet.strokes import Painting
from brushnet.training.targets import picture_statistics

SCALES = (0.5, 0.71, 1.0, 1.41, 2.0)
ENCODER = "steerable"  # of the matched scale: none of the networks that train

Progress = Callable[[int, int, str], None]


def open_models(names: Sequence[str], painting: Painting) -> dict[str, StyleModel]:
    """By a short name. UserError for a model of another painting, or of another reference size."""
    models: dict[str, StyleModel] = {}
    for name in names:
        model = load(name, device="cpu")
        if painting.name not in model.style_names:
            raise UserError(
                f"--models {name} was trained on {', '.join(model.style_names)}, not on {painting.name}; "
                "name its painting with --style"
            )
        if model.reference_px != painting.reference_px:
            raise UserError(
                f"--models {name} was trained with style.reference_px={model.reference_px}; "
                f"the claims are measured at {painting.reference_px}"
            )
        models[_short_name(model, taken=models, path=Path(name))] = model
    return models


def _short_name(model: StyleModel, *, taken: Mapping[str, StyleModel], path: Path) -> str:
    low, high = model.stroke_range
    name = f"fixed {low:g}" if model.stroke_mode == "fixed" else f"{model.stroke_mode} {low:g}-{high:g}"
    name = f"{name}, {model.meta.blocks} blocks"
    return f"{name} ({path.parent.name}/{path.name})" if name in taken else name


def model_figures(
    models: Mapping[str, StyleModel],
    photos: Sequence[Tensor],
    painting: Painting,
    *,
    lossnet: LossNetwork,
    spec: LossSpec,
    progress: Progress | None = None,
) -> list[ModelFigures]:
    targets = {scale: style_targets(painting.render(scale), lossnet, spec) for scale in SCALES}
    whole = {scale: painting.render(scale) for scale in SCALES}
    meters = open_meters([ENCODER], painting)
    found = []
    for number, (name, model) in enumerate(models.items()):
        as_is: dict[float, float] = {}
        rescaled: dict[float, float] = {}
        matched: dict[float, float] = {}
        detail: dict[float, Sequence[float]] = {}
        for scale in SCALES:
            pictures = [paint_at(model, photo, scale, style=painting.name) for photo in photos]
            as_is[scale] = fmean(style_loss(each, targets[scale], lossnet, spec) for each in pictures)
            matched[scale] = mean_measured(
                [matched_figures(each, meters)[f"matched_octaves/{ENCODER}"] for each in pictures]
            )
            decibels = [detail_decibels(each, whole[scale]) for each in pictures]
            detail[scale] = [fmean(octave) for octave in zip(*decibels, strict=True)]
            others = [paint_rescaled(model, photo, scale, style=painting.name) for photo in photos]
            rescaled[scale] = fmean(style_loss(each, targets[scale], lossnet, spec) for each in others)
        found.append(_figures(name, model, as_is, rescaled, matched, detail))
        if progress:
            progress(number + 1, len(models), f"claim b  {name}")
    return found


def mean_measured(octaves: Sequence[float]) -> float:
    """Pictures without a texture to measure (NaN) left out; NaN where there is no other."""
    measured = [value for value in octaves if not isnan(value)]
    return fmean(measured) if measured else nan


def paint_at(model: StyleModel, photo_13HW: Tensor, scale: float, *, style: str) -> Tensor:
    """At the scale where the model can be told it (the nearest that it was trained for), else as it paints."""
    low, high = model.stroke_range
    told = min(max(scale, low), high) if model.stroke_mode == "conditioned" else None
    return model(photo_13HW, told, style=style if len(model.style_names) > 1 else None)


def paint_rescaled(model: StyleModel, photo_13HW: Tensor, scale: float, *, style: str) -> Tensor:
    """What a user does who cannot tell the model: paint the photo smaller or larger, and resize the painting back."""
    if model.stroke_mode == "conditioned":
        return paint_at(model, photo_13HW, scale, style=style)
    height, width = photo_13HW.shape[-2:]
    zoom = scale / model.default_stroke
    photo = images.resize(photo_13HW, max(16, round(height / zoom)), max(16, round(width / zoom)))
    return images.resize(paint_at(model, photo, scale, style=style), height, width).clamp(0, 1)


def style_loss(picture_13HW: Tensor, target: Mapping[Key, StyleTarget], lossnet: LossNetwork, spec: LossSpec) -> float:
    """Summed over layers, weighted as in training, and the mean over pyramid levels."""
    found = picture_statistics(picture_13HW, lossnet, spec)
    total = sum(
        spec.style_layers[layer] * float(style_distance(found[level, layer], here, mean_weight=spec.mean_weight))
        for (level, layer), here in target.items()
    )
    return total / spec.pyramid_levels


def _figures(
    name: str,
    model: StyleModel,
    as_is: dict[float, float],
    rescaled: dict[float, float],
    matched: dict[float, float],
    detail: dict[float, Sequence[float]],
) -> ModelFigures:
    meta = model.meta
    lossnet, steps = meta.training.get("lossnet"), meta.training.get("steps")
    return ModelFigures(
        name=name,
        mode=meta.stroke_mode,
        octaves=(log2(meta.stroke_min), log2(meta.stroke_max)),
        blocks=meta.blocks,
        width=meta.width,
        lossnet=lossnet if isinstance(lossnet, str) else None,
        steps=steps if isinstance(steps, int) else None,
        as_is=as_is,
        rescaled=rescaled,
        matched_octaves=matched,
        detail_db=detail,
    )
