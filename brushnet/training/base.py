"""The trained model that gets further paintings (`style.base`): what a run takes from it and tells of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brushnet import models
from brushnet.model_meta import NET_SHAPE, ModelMeta
from brushnet.nets import ResidualTransformer

LONGEST_CHARS = 100_000  # of what a base tells of itself: metadata that is too long is not read


@dataclass(frozen=True)
class Base:
    """`net` has room for the added paintings, which alone are left to train; `style_names` are those before them."""

    net: ResidualTransformer
    style_names: tuple[str, ...]
    inherited: dict[str, Any]  # options that are the base's, by their full names
    summary: dict[str, Any]  # for the new model's metadata


def open_base(name: str, *, added: int) -> Base:
    """An embedded model, a file or a run folder. UserError says what is wrong with it."""
    model = models.load(name, device="cpu")
    return _base(model, model.style_names, added, _summary(name, model.meta))


def resumed_base(checkpoint: Path, *, added: int) -> Base:
    """Of a run that was stopped: all of the base that counts is in its checkpoint."""
    model = models.load(checkpoint, device="cpu")
    return _base(model, model.style_names[:-added], 0, model.meta.training.get("base"))


def _base(model: models.StyleModel, style_names: tuple[str, ...], added: int, summary: Any) -> Base:
    meta = model.meta
    model.net.add_paintings(added)
    inherited = {f"net.{name}": getattr(meta, name) for name in NET_SHAPE if name != "styles"}
    inherited |= {
        "stroke.mode": meta.stroke_mode,
        "stroke.min": meta.stroke_min,
        "stroke.max": meta.stroke_max,
        "style.reference_px": meta.reference_px,
    }
    return Base(model.net.train(), style_names, inherited, summary)


def _summary(name: str, meta: ModelMeta) -> dict[str, Any]:
    """Without what is too long: a chain of bases grows, and a stranger's file may say anything."""
    told = {"style_names": list(meta.style_names), "training": dict(meta.training)}
    return {"model": name} | {key: value for key, value in told.items() if len(json.dumps(value)) <= LONGEST_CHARS}
