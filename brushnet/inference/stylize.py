"""`brushnet stylize MODEL INPUT... -o OUT`: paints files and folders, at one stroke scale, several or a map of them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images, samples
from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.inference.brushes import Brush, open_brushes
from brushnet.inference.finish import check_colour, check_strength, finish
from brushnet.inference.plan import Job, Plan, plan
from brushnet.models import StyleModel, load
from brushnet.style_mix import Style, style_weights

log = logging.getLogger(__name__)

SHEET_CELL_PX = 320
SHEET_LABEL_CHARS = 24  # a camera's or a museum's file name would be wider than the pictures
SHEET_ROWS = 40  # JPEG ends at 65,500 px, and nobody looks further

Progress = Callable[[int, int, Path], None]  # pictures done or given up, pictures in all, the photo


@dataclass
class StylizeReport:
    """`failed`: photos that could not be painted, with the cause. `sheet` is among `written` too."""

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    sheet: Path | None = None

    @property
    def exit_code(self) -> int:
        return BrushnetError.exit_code if self.failed else 0

    def lines(self) -> list[str]:
        """For people: what failed and why, one a line, and last how much was written, however long the list."""
        last = (
            f", contact sheet {self.sheet}" if self.sheet else f" ({self.written[0]})" if len(self.written) == 1 else ""
        )
        done = f"{len(self.written)} picture{'' if len(self.written) == 1 else 's'} written{last}"
        if not self.failed:
            return [done]
        count = f"{len(self.failed)} failed"
        return [f"{count}:", *(_named(cause, path) for path, cause in self.failed), f"{done}; {count}, see above"]


def stylize_files(
    model: StyleModel | str | Path,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    strokes: Sequence[float] = (),
    stroke_map: str | Path | None = None,
    map_range: tuple[float, float] | None = None,
    stroke_per_side: float | None = None,
    strength: float = 1.0,
    preserve_colour: str | None = None,
    style: Style = None,
    device: str = "auto",
    strict: bool = False,
    force: bool = False,
    quality: int = 95,
    progress: Progress | None = None,
    report: StylizeReport | None = None,
) -> StylizeReport:
    """Paint every photo at every stroke scale, or by a map of them; by default at the model's own scale.

    `stroke_map` is a grey picture; `map_range` names the scales of its black and its white, by default the ends of the
    trained range. `stroke_per_side` is as for `paint_per_side`, `strength` and `preserve_colour` are as for `finish`.

    A wrong request is a UserError before anything is written. A picture that cannot be read, or that its format cannot
    hold, does not stop the rest: it is in the report. A full disk does (BrushnetError): the next would fail too.
    `report` is filled as it goes on: it tells what was done where that or Ctrl-C ends it.
    """
    if not inputs:
        raise UserError("no input; give pictures or folders")
    if not 1 <= quality <= 100:
        raise UserError(f"--quality must be from 1 to 100, got {quality}")
    check_strength(strength)
    check_colour(preserve_colour)
    target = pick_device(device)
    model = model if isinstance(model, StyleModel) else load(model)
    style_weights(style, model.style_names)  # refused before anything is written
    map_path = None if stroke_map is None else Path(stroke_map)
    brushes = open_brushes(
        model,
        strokes=strokes,
        stroke_map=map_path,
        map_range=map_range,
        stroke_per_side=stroke_per_side,
        strict=strict,
    )
    todo = plan(
        [samples.resolve(str(path)) for path in inputs],
        Path(out),
        scale_labels=[brush.label for brush in brushes],
        force=force,
        check_photo=lambda photo: _check(brushes, photo),
        also_read=[map_path] if map_path else [],
    )
    with torch.inference_mode():
        finishing = partial(finish, strength=strength, preserve_colour=preserve_colour)
        settings = (model.to(target), brushes, finishing, style, quality, progress)
        return _Run(*settings, StylizeReport() if report is None else report).do(todo)


def pick_device(name: str) -> torch.device:
    """`auto`: the first of cuda, mps and cpu that is here. UserError lists what is."""
    usable = ["cpu"]
    if torch.backends.mps.is_available():
        usable.insert(0, "mps")
    if torch.cuda.is_available():
        usable[:0] = ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name != "auto" and name not in usable:
        raise UserError(f"--device {name} is not on this machine; allowed are auto, {', '.join(usable)}")
    return torch.device(usable[0] if name == "auto" else name)


def _check(brushes: Sequence[Brush], photo: Path) -> None:
    for brush in brushes:
        brush.check(photo)


class _Run:
    """One call's settings, and what has been done so far."""

    def __init__(
        self,
        model: StyleModel,
        brushes: Sequence[Brush],
        finishing: Callable[[Tensor, Tensor], Tensor],
        style: Style,
        quality: int,
        progress: Progress | None,
        report: StylizeReport,
    ):
        self.model, self.brushes, self.finishing, self.style = model, brushes, finishing, style
        self.quality, self.progress = quality, progress
        self.report = report
        self.rows: list[list[Tensor]] = []
        self.row_labels: list[str] = []
        self.visited = 0

    def do(self, todo: Plan) -> StylizeReport:
        total = len(todo.jobs) * len(self.brushes)
        for job in todo.jobs:
            try:
                self._paint(job, total, keep=todo.sheet is not None)
            except (ImageError, UserError) as error:  # read() raises UserError when the file has gone meanwhile
                self.report.failed.append((job.photo, str(error)))
            except (MemoryError, RuntimeError) as error:
                self.report.failed.append((job.photo, _memory_cause(error, self.model.device)))
            self.visited += 1
            self._show_progress(self.visited * len(self.brushes), total, job.photo)
        if todo.sheet and self.rows:
            self._write_sheet(todo.sheet, photos=len(todo.jobs) - len(self.report.failed))
        return self.report

    def _paint(self, job: Job, total: int, *, keep: bool) -> None:
        photo_13HW = images.read(job.photo)
        row = [_thumbnail(photo_13HW)]
        for number, (brush, path) in enumerate(zip(self.brushes, job.outputs, strict=True), start=1):
            painted = brush.paint(self.model, photo_13HW, style=self.style, name=str(job.photo))
            painted = self.finishing(photo_13HW, painted).cpu()
            images.write(painted, path, quality=self.quality)
            self.report.written.append(path)
            row.append(_thumbnail(painted))
            if number < len(self.brushes):
                self._show_progress(self.visited * len(self.brushes) + number, total, job.photo)
        if keep and len(self.rows) < SHEET_ROWS:
            self.rows.append(row)
            self.row_labels.append(job.photo.stem[:SHEET_LABEL_CHARS])

    def _show_progress(self, done: int, total: int, photo: Path) -> None:
        if self.progress:
            self.progress(done, total, photo)

    def _write_sheet(self, path: Path, *, photos: int) -> None:
        if photos > len(self.rows):
            log.warning("%s shows the first %d of %d photos", path, len(self.rows), photos)
        columns = ["photo", *(f"s = {brush.label}" for brush in self.brushes)]
        sheet = images.sheet(self.rows, row_labels=self.row_labels, column_labels=columns, cell_px=SHEET_CELL_PX)
        try:
            images.write(sheet, path)
        except ImageError as error:  # of some hundred scales: wider than a JPEG can be; the pictures are written
            self.report.failed.append((path, str(error)))
            return
        self.report.sheet = path
        self.report.written.append(path)


def _named(cause: str, path: Path) -> str:
    return cause if f": {path}" in cause else f"{path}: {cause}"  # "picture not found: PATH" names it already


def _thumbnail(image_13HW: Tensor) -> Tensor:
    """As large as the contact sheet shows it: whole photos would pile up in memory."""
    height, width = image_13HW.shape[-2:]
    zoom = min(1.0, SHEET_CELL_PX / max(height, width))
    return images.resize(image_13HW, max(1, round(height * zoom)), max(1, round(width * zoom)))


def _memory_cause(error: Exception, device: torch.device) -> str:
    """RuntimeError is a bug of ours, unless torch's allocator raised it (on the CPU it has no error of its own)."""
    if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and "allocate memory" not in str(error):
        raise error
    return f"too large for the memory of {device}; make it smaller"
