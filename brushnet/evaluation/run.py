"""`brushnet evaluate`: opens what was named, paints and measures every picture, writes figures, plot and sheet."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images, samples
from brushnet.devices import pick_device
from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.evaluation import records
from brushnet.evaluation.judge import Judge
from brushnet.evaluation.painting_model import default_strokes, model_name, model_system
from brushnet.evaluation.request import (
    DEFAULT_SIZES_PX,
    MOST_ENLARGED,
    Request,
    check,
    check_folder,
    check_scales,
    model_style,
    open_lossnet,
    open_lpips,
    open_painting,
    outputs,
)
from brushnet.evaluation.scaled_pictures import picture_system, strokes_of
from brushnet.evaluation.sheet import Sheet
from brushnet.evaluation.systems import Photos, System, Task
from brushnet.inference.plan import check_outputs
from brushnet.losses import LossSpec
from brushnet.measure.control import Row, photo_curve
from brushnet.measure.meters import Meter, open_meters
from brushnet.models import StyleModel, load
from brushnet.report.control_plot import control_figure, curves_of
from brushnet.report.figure import write_figure
from brushnet.strokes import Painting

log = logging.getLogger(__name__)

SHEET_QUALITY = 88  # strokes are all detail: at 95 seven scales of ten photos were 5.6 MB

Progress = Callable[[int, int, str], None]  # pictures measured, in all, what is being painted


@dataclass
class Evaluation:
    """What was evaluated, and what was found. `skipped`: what could not be read or painted, with the cause."""

    request: Request
    painting: Painting
    systems: list[System]
    meters: list[Meter] = field(default_factory=list)
    lossnet: str = ""
    rows: list[Row] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> str:
        return json.dumps(records.as_dict(self), indent=2, allow_nan=False) + "\n"

    def lines(self) -> list[str]:
        """For people."""
        return [*records.lines(self), f"written: {', '.join(map(str, self.written))}"]


def evaluate(request: Request, spec: LossSpec, *, progress: Progress | None = None) -> Evaluation:
    """A wrong request is a UserError before anything is written; unreadable pictures are skipped and reported."""
    started = time.perf_counter()
    check(request)
    name = model_name(request.model) if request.model else request.pictures[0].partition("=")[0]
    out = request.out or Path(f"control-{Path(name).name}")
    places = outputs(request, out)
    check_folder(out)
    inputs = [samples.resolve(request.style)]
    if out.exists():  # looked at early, since what follows takes a while; a new folder is made only after it
        check_outputs(list(places.values()), out, inputs=inputs, force=request.force)
    model = load(request.model).to(pick_device(request.device)) if request.model else None
    painting = open_painting(request, model)
    systems = _open_systems(request, model, painting, name=name, out=out)
    found = Evaluation(request, painting, systems, skipped=[each for system in systems for each in system.skipped])
    lpips = open_lpips(request)
    lossnet = open_lossnet(request.lossnet, spec)
    found.lossnet = lossnet.name
    found.meters = open_meters(request.encoders, painting)
    check_outputs(list(places.values()), out, inputs=inputs, force=request.force)
    sheet = Sheet(painting, strokes_of(systems))
    judge = Judge(painting, meters=found.meters, lossnet=lossnet, spec=spec, lpips=lpips)
    _measure(found, judge, sheet, progress)
    found.seconds = time.perf_counter() - started
    _write(found, sheet, places)
    return found


def _open_systems(
    request: Request, model: StyleModel | None, painting: Painting, *, name: str, out: Path
) -> list[System]:
    photos = Photos(samples.resolve(request.content)) if request.content else None
    systems = []
    if model is not None and photos is not None:
        style = model_style(request, model, painting, name=name)
        largest = MOST_ENLARGED * painting.largest_scale
        strokes = sorted(set(request.scales or default_strokes(model, largest_scale=largest)))
        check_scales(strokes, painting)
        systems.append(
            model_system(
                model,
                photos,
                name=name,
                style=style,
                strokes=strokes,
                sizes_px=list(dict.fromkeys(request.sizes or DEFAULT_SIZES_PX)),
                count=request.photos,
            )
        )
    for text in request.pictures:
        systems.append(picture_system(text, photos, count=request.photos, out=out))
        check_scales(strokes_of(systems[-1:]), painting, option=f"--pictures {text}: scale")
    names = [system.name for system in systems]
    for each in names:
        if names.count(each) > 1:
            raise UserError(f"--pictures: two systems are called {each}; give another name with NAME=DIR")
    return systems


def _measure(found: Evaluation, judge: Judge, sheet: Sheet, progress: Progress | None) -> None:
    total = sum(len(task.strokes) for system in found.systems for task in system.tasks)
    done = 0
    for system in found.systems:
        for task in system.tasks:
            try:
                found.rows += _task_rows(system, task, judge, sheet)
            except (ImageError, UserError) as error:
                found.skipped.append((task.file, str(error)))
            except (MemoryError, RuntimeError) as error:
                found.skipped.append((task.file, _memory_cause(error, task)))
            done += len(task.strokes)
            if progress:
                progress(done, total, f"{system.name}  {task.photo}")
    if not found.rows:
        file, cause = found.skipped[0]
        raise BrushnetError(f"nothing could be measured: {file}: {cause}")


def _task_rows(system: System, task: Task, judge: Judge, sheet: Sheet) -> list[Row]:
    photo, paint = task.open()

    def shown(stroke: float) -> Tensor:
        picture = paint(stroke)
        sheet.add(system.name, task.photo, stroke, picture, photo)
        return picture

    return photo_curve(
        shown,
        photo,
        name=task.photo,
        strokes=task.strokes,
        judge=judge,
        system=system.name,
        size_px=task.size_px,
        seen=system.seen,
    )


def _memory_cause(error: Exception, task: Task) -> str:
    """RuntimeError is a bug of ours, unless torch's allocator raised it (on the CPU it has no error of its own)."""
    where = f"at {task.size_px} px" if task.size_px else "the picture is"
    if isinstance(error, MemoryError):
        return f"{where} too large for the memory{f': {error}' if str(error) else ''}"
    if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
        raise error
    return f"{where} too large for the memory"


def _write(found: Evaluation, sheet: Sheet, places: dict[str, Path]) -> None:
    curves = {meter.name: curves_of(found.rows, encoder=meter.name) for meter in found.meters}
    trained = found.systems[0].trained
    for kind, path in places.items():
        match kind:
            case "json":
                continue  # last: it tells that the rest is there
            case "csv":
                path.write_text(records.as_csv(found.rows), encoding="utf-8")
            case "sheet":
                images.write(sheet.picture(), path, quality=SHEET_QUALITY)
            case _:
                write_figure(control_figure(curves, trained=trained), path)
        found.written.append(path)
    places["json"].write_text(found.as_json(), encoding="utf-8")
    found.written.append(places["json"])
