"""The three methods, and a trained model where one is given, beside photo and painting: one sheet, one set of figures.

All are judged by the loss that `features` minimises, at the same stroke scale: its ratio to that of `features` says how
much of what can be reached a method reaches, and in which share of the time.

Shape letters: H W picture size.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from brushnet import images
from brushnet.baselines.features import style_targets
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting
from brushnet.training.objective import loss_terms

REFERENCE = "features"
SHEET_CELL_PX = 320


@dataclass(frozen=True)
class Entry:
    """One picture of the comparison; `seconds` is None where nothing was computed (photo, painting)."""

    name: str
    picture: Tensor
    seconds: float | None
    losses: dict[str, float]  # style, content, total


class Judge:
    """Losses of pictures of one photo against one painting at one stroke scale."""

    def __init__(self, photo_13HW: Tensor, painting: Painting, *, stroke: float, lossnet: LossNetwork, spec: LossSpec):
        self.photo, self.lossnet, self.spec = photo_13HW, lossnet, spec
        self.targets = style_targets(painting.render(stroke).to(photo_13HW.device), lossnet, spec)

    @torch.no_grad()
    def losses(self, picture_13HW: Tensor) -> dict[str, float]:
        """`style` (layers weighted, before `style_weight`), `content` and the weighted `total`."""
        terms = loss_terms(picture_13HW, self.photo, self.targets, lossnet=self.lossnet, spec=self.spec)
        style = sum(float(term) for name, term in terms.items() if name.startswith("style/"))
        total = sum(float(term) for term in terms.values())
        return {
            "style": style / self.spec.style_weight,
            "content": float(terms["content"]) / self.spec.content_weight,
            "total": total,
        }


def compare(photo_13HW: Tensor, painters: Mapping[str, Callable[[Tensor], Tensor]], judge: Judge) -> list[Entry]:
    """What each painter makes of the photo, the photo itself first."""
    entries = [Entry("photo", photo_13HW, None, judge.losses(photo_13HW))]
    for name, paint in painters.items():
        started = time.perf_counter()
        picture = paint(photo_13HW)
        entries.append(Entry(name, picture, time.perf_counter() - started, judge.losses(picture)))
    return entries


def figures(entries: list[Entry]) -> list[dict[str, Any]]:
    """For each entry its losses, its time, and the ratio of both to `features`; None where there is none."""
    reference = next((entry for entry in entries if entry.name == REFERENCE), None)
    return [
        {
            "name": entry.name,
            **{f"{name}_loss": value for name, value in entry.losses.items()},
            "seconds": entry.seconds,
            "ratio_to_features": None if reference is None else _ratios(entry, reference),
        }
        for entry in entries
    ]


def _ratios(entry: Entry, reference: Entry) -> dict[str, float | None]:
    pairs = {name: (value, reference.losses[name]) for name, value in entry.losses.items()}
    both = {**pairs, "seconds": (entry.seconds, reference.seconds)}
    return {name: value / over if value is not None and over else None for name, (value, over) in both.items()}


def sheet(entries: list[Entry], painting_13HW: Tensor) -> Tensor:
    """The photo, the painting and the others in a row. Float (1, 3, H, W)."""
    shown = [(entry.name, entry.picture) for entry in entries]
    shown.insert(1, ("painting", painting_13HW))
    names, pictures = zip(*shown, strict=True)
    return images.sheet([pictures], column_labels=names, cell_px=SHEET_CELL_PX)


def lines(entries: list[Entry]) -> list[str]:
    """For people: one line each, aligned."""
    rows = [("", "style loss", "content loss", "seconds")]
    for entry in entries:
        seconds = "-" if entry.seconds is None else f"{entry.seconds:.1f}"
        rows.append((entry.name, f"{entry.losses['style']:.4f}", f"{entry.losses['content']:.4f}", seconds))
    return ["  ".join([f"{row[0]:<10}", *(f"{cell:>12}" for cell in row[1:])]) for row in rows]
