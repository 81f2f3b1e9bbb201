"""The photos of one `brushnet stylize`, one after the other or several at a time, and what became of each."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, Stopped, UserError
from brushnet.inference import contact_sheet
from brushnet.inference.contact_sheet import ContactSheet, thumbnail_of_file
from brushnet.inference.crew import work_through
from brushnet.inference.painter import Painter
from brushnet.inference.plan import Job, Plan
from brushnet.inference.report import StylizeReport
from brushnet.inference.standard_streams import StandardStreams
from brushnet.inference.stopping import stoppable

log = logging.getLogger(__name__)

IN_HAND_SHARE = 0.2  # of the memory that is allowed, for photos that are read and paintings that are written
IN_HAND_BYTES = 24  # a pixel

Progress = Callable[[float, int, Path], None]  # pictures done or given up, pictures in all, the photo


@dataclass(slots=True)
class _Outcome:
    """`cause`: why it failed. `row`: for the contact sheet."""

    written: list[Path] = field(default_factory=list)
    cause: str | None = None
    row: list[Tensor] | None = None


class Run:
    """Fills the report while several threads work, and leaves it in the order of the photos."""

    def __init__(
        self, painter: Painter, todo: Plan, streams: StandardStreams, progress: Progress | None, report: StylizeReport
    ):
        self.painter, self.todo, self.streams, self.progress, self.report = painter, todo, streams, progress, report
        self.jobs = [job for job in todo.jobs if job.missing]
        self.total = sum(len(job.missing) for job in self.jobs)
        self.done = 0
        self.outcomes: dict[Path, _Outcome] = {}
        self.changing = threading.Lock()
        report.skipped = sum(len(job.there) for job in todo.jobs)
        report.failed += todo.unreadable

    def do(self, *, jobs: int, stop: threading.Event, forced: bool = False) -> None:
        """Stopped where `stop` ended it, BrushnetError where the disk did. The report is filled in any case."""
        if self.jobs:
            self._show_progress(self.jobs[0])
        try:
            with stoppable(self.painter.model.net, stop):
                work_through(
                    len(self.jobs),
                    partial(self._work, stop),
                    jobs=jobs,
                    stop=stop,
                    cost=self._pixels,
                    most=IN_HAND_SHARE * self.painter.max_memory_bytes / IN_HAND_BYTES,
                )
        finally:
            self._tell_in_order()
        if stop.is_set() and self.done < self.total:
            without = "without --force " if forced else ""
            raise Stopped(f"stopped; {without}the same command goes on with what is left")
        if self.todo.sheet:
            self._write_sheet(self.todo.sheet)

    def _pixels(self, index: int) -> float:
        try:
            height, width = images.size(self.jobs[index].photo)
        except BrushnetError:  # told when it is to be painted
            return 0
        return height * width

    def _work(self, stop: threading.Event, index: int) -> None:
        job = self.jobs[index]
        outcome = self.outcomes[job.photo] = _Outcome()
        try:
            outcome.row = self.painter.paint(
                job,
                lambda path: self._wrote(job, outcome, path),
                thumbnails=self.todo.sheet is not None,
                advance=lambda share: self._advance(job, share, stop),
            )
        except (ImageError, UserError) as error:  # read() raises UserError when the file has gone meanwhile
            outcome.cause = str(error)
        except (MemoryError, RuntimeError) as error:
            outcome.cause = _memory_cause(error, self.painter.model.device)
        with self.changing:
            if outcome.cause is not None:
                self.report.failed.append((self.streams.shown(job.photo), outcome.cause))
            if outcome.row:
                self._forget_late_rows()
            self.done += len(job.missing) - len(outcome.written)
            self._show_progress(job)

    def _wrote(self, job: Job, outcome: _Outcome, path: Path) -> None:
        with self.changing:
            outcome.written.append(path)
            self.report.written.append(self.streams.shown(path))
            self.done += 1
            if len(outcome.written) < len(job.missing):  # else it is shown when all of the job is done
                self._show_progress(job)

    def _advance(self, job: Job, share: float, stop: threading.Event) -> None:
        if stop.is_set():
            raise Stopped("stopped")
        with self.changing:
            self._show_progress(job, more=min(share, 0.999))

    def _show_progress(self, job: Job, *, more: float = 0.0) -> None:
        if self.progress:
            self.progress(self.done + more, self.total, self.streams.shown(job.photo))

    def _forget_late_rows(self) -> None:
        """More than a sheet shows would pile up in memory."""
        having = [job.photo for job in self.jobs if job.photo in self.outcomes and self.outcomes[job.photo].row]
        for photo in having[contact_sheet.ROWS :]:
            self.outcomes[photo].row = None

    def _tell_in_order(self) -> None:
        told = [(job, self.outcomes[job.photo]) for job in self.jobs if job.photo in self.outcomes]
        self.report.written[:] = [self.streams.shown(path) for _, outcome in told for path in outcome.written]
        self.report.failed[:] = self.todo.unreadable + [
            (self.streams.shown(job.photo), outcome.cause) for job, outcome in told if outcome.cause is not None
        ]

    def _write_sheet(self, path: Path) -> None:
        sheet = ContactSheet()
        for job in self.todo.jobs:
            outcome = self.outcomes.get(job.photo)
            if outcome is None or outcome.cause is None:
                row = outcome.row if outcome else _row_of_files(job) if not sheet.full else None
                sheet.add(job.photo, row)
        if not sheet.rows:
            return
        try:
            sheet.write(path, [brush.label for brush in self.painter.brushes])
        except ImageError as error:  # of some hundred scales: wider than a JPEG can be; the pictures are written
            self.report.failed.append((path, str(error)))
            return
        self.report.sheet = path
        self.report.written.append(path)


def _row_of_files(job: Job) -> list[Tensor] | None:
    """Of a photo whose pictures were all there before."""
    try:
        return [thumbnail_of_file(path) for path in (job.photo, *job.outputs)]
    except BrushnetError as error:
        log.warning("not in the contact sheet: %s: %s", job.photo, error)
        return None


def _memory_cause(error: Exception, device: torch.device) -> str:
    """RuntimeError is a bug of ours, unless torch's allocator raised it (on the CPU it has no error of its own)."""
    if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and "allocate memory" not in str(error):
        raise error
    return f"too large for the memory of {device}; make it smaller"
