"""The layer probe from a request to files: pictures shown to loss networks, tables, the heat map."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brushnet.errors import UserError
from brushnet.inference.plan import check_kind, check_outputs, is_picture
from brushnet.lossnet import LossNetwork
from brushnet.measure.layer_table import layer_table
from brushnet.measure.probe import Series, check_draws
from brushnet.measure.probe_pictures import (
    check_most_draws,
    check_size,
    open_paintings,
    painted_series,
    rescaled_series,
    scale_ladder,
    width_ladder,
)
from brushnet.probing.networks import label, open_networks
from brushnet.report.figure import write_figure
from brushnet.report.probe_plot import Panel, probe_figure
from brushnet.report.probe_table import probe_csv, probe_json, probe_lines
from brushnet.strokes import Painting

MOST_PROCESSES = 4  # painters at a time; each loads torch, some 300 MB
ALONE_PIXELS = 2_000_000  # painted before a second process has started

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Request:
    """The command line as typed, and what the style loss of a training is made of."""

    lossnets: Sequence[str]
    styles: Sequence[str]
    out: Path
    widths_px: tuple[float, float]
    draws: int
    size_px: int
    seed: int
    reference_px: int
    loss_layers: Sequence[str]
    pyramid_levels: int
    mean_weight: float
    force: bool = False


@dataclass(frozen=True)
class Scene:
    """Everything that a request names, opened and checked; `scales` are widths in px where strokes are painted."""

    networks: list[LossNetwork]
    paintings: list[Painting]
    scales: list[float]


def run(request: Request, *, progress: Progress | None = None) -> tuple[list[str], dict[str, Any]]:
    """Lines for people, and the table as it is written. A wrong request is a UserError before anything is written."""
    scene = open_scene(request)
    places = {suffix: request.out / f"probe.{suffix}" for suffix in ("png", "pdf", "json", "csv")}
    inputs = [Path(name) for name in (*request.lossnets, *request.styles)]
    check_outputs(list(places.values()), request.out, inputs=inputs, force=request.force)
    subjects = show_subjects(request, scene, progress=progress)
    panels = probe_networks(request, scene, subjects, progress=progress)
    table = probe_json(panels, _settings(request, subjects))
    for suffix in ("png", "pdf"):
        write_figure(probe_figure(panels), places[suffix])
    places["json"].write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    places["csv"].write_text(probe_csv(panels), encoding="utf-8")
    lines = [line for panel in panels for line in [f"{panel.network}: d' at one level", *probe_lines(panel, "0")]]
    return [*lines, f"written: {', '.join(map(str, places.values()))}"], table


def open_scene(request: Request) -> Scene:
    """Checked as far as it can be before anything is painted."""
    check_folder(request.out)
    check_draws(request.draws)
    networks = open_networks(request.lossnets)
    paintings = open_paintings(request.styles, reference_px=request.reference_px)
    scales = scale_ladder(paintings) if paintings else width_ladder(*request.widths_px)
    if not paintings:
        check_size(request.size_px, request.widths_px[1])
        check_most_draws(request.draws, size_px=request.size_px, widths=len(scales))
    return Scene(networks, paintings, scales)


def check_folder(out: Path) -> None:
    if is_picture(out):
        raise UserError(f"-o {out}: give a folder, probe writes several files")
    check_kind(out)


def show_subjects(request: Request, scene: Scene, *, progress: Progress | None = None) -> list[Series]:
    """One series of painted pictures, or one for each painting."""
    if scene.paintings:
        return [rescaled_series(painting, scene.scales) for painting in scene.paintings]
    pixels = len(scene.scales) * request.draws * request.size_px**2
    painted = painted_series(
        scene.scales,
        draws=request.draws,
        size_px=request.size_px,
        seed=request.seed,
        processes=min(MOST_PROCESSES, os.cpu_count() or 1) if pixels > ALONE_PIXELS else 1,
        progress=progress,
    )
    return [painted]


def probe_networks(
    request: Request, scene: Scene, subjects: Sequence[Series], *, progress: Progress | None = None
) -> list[Panel]:
    return [
        Panel(
            label(network),
            layer_table(
                subjects,
                network,
                loss_layers=request.loss_layers,
                levels=request.pyramid_levels,
                mean_weight=request.mean_weight,
                progress=progress,
            ),
            "s" if scene.paintings else "px",
        )
        for network in scene.networks
    ]


def _settings(request: Request, subjects: Sequence[Series]) -> dict[str, Any]:
    return {
        "subjects": [series.name for series in subjects],
        "draws": len(subjects[0].pictures[0]),
        "size_px": None if request.styles else request.size_px,
        "reference_px": request.reference_px if request.styles else None,
        "loss_layers": list(request.loss_layers),
        "pyramid_levels": request.pyramid_levels,
        "mean_weight": request.mean_weight,
        "seed": request.seed,
    }
