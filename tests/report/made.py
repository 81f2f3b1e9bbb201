"""Runs as values, for what needs no files."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from brushnet.report.figures import figures_of
from brushnet.report.runs import Evaluation, Painted, Run, Sweep

SCALES = (0.5, 1.0, 2.0)


def evaluation(
    *,
    error: float = 0.5,
    style: float = 1.0,
    content: float = 0.7,
    painting: str = "waves",
    mode: str = "conditioned",
    trained: tuple[float, float] = (0.35, 2.8),
    summary: Mapping[str, float] | None = None,
    photos: Sequence[str] = ("cat",),
) -> Evaluation:
    """Each reading is too large by `error` octaves."""
    rows = tuple(
        Painted(photo=photo, stroke=scale, octaves=math.log2(scale) + error, style_loss=style,
                content_distance=content, seen=trained[0] <= scale <= trained[1])
        for photo in photos
        for scale in SCALES
    )  # fmt: skip
    return Evaluation(folder=Path("/nowhere"), painting=painting, encoder="steerable", lossnet="compact",
                      stroke_mode=mode, trained=trained, scales=SCALES, photos=tuple(photos), rows=rows,
                      summary={"slope": 1.0} if summary is None else summary)  # fmt: skip


def run(name: str, values: Mapping[str, str] | None = None, **measured) -> Run:
    return Run(name=name, folder=Path("/nowhere") / name, values=values or {}, seconds=60.0,
               evaluation=evaluation(**measured))  # fmt: skip


def sweep(axes: Mapping[str, Sequence[str]], figures: Callable[..., dict]) -> Sweep:
    """A full grid; `figures` tells what is measured by the values of the axes, in their order."""
    runs = []
    for chosen in itertools.product(*axes.values()):
        values = dict(zip(axes, chosen, strict=True))
        runs.append(run("-".join(chosen), values, **figures(*chosen)))
    return Sweep(folder=Path("/nowhere"), runs=runs, axes=axes)


def all_figures(found: Sweep) -> dict[str, dict[str, float]]:
    return {each.name: figures_of(each) for each in found.runs}
