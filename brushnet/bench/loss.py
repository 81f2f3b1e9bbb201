"""Time to loss: how long our training takes to what the reference trainer reaches, both judged by the reference's loss.

The reference goes first: its last losses are the goal. Ours is then trained by `training.run` until its averaged
network has both of them at s = 1, or `Limits` end it. Looking costs neither of them time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from brushnet.bench.bare_run import run_bare
from brushnet.bench.clock import Clock
from brushnet.bench.curve import Looks, Point, Stopwatch
from brushnet.bench.reference import Reference
from brushnet.data.module import PhotoData
from brushnet.training.module import StyleTraining
from brushnet.training.run import RunOptions

REFERENCE_GROWTH = 1.3  # of the times of looks: its curve is only for the picture
GROWTH = 1.1  # so exact is the time that is found
FIRST_SHARE = 1 / 200  # of the reference's time: of the first look at ours

Paint = Callable[[Tensor], Tensor]
Tell = Callable[[str], None]


class Judge:
    """The reference's content and style loss on held-out photos (N, 3, H, W) in [0, 1], paintings as files hold them.

    Not by what each of them trains on: its network behind the loss, its layers, its Gram matrices.
    """

    def __init__(self, reference: Reference, photos_N3HW: Tensor, *, batch_size: int):
        self.reference = reference
        self.batches = photos_N3HW.to(reference.trainer.device).split(batch_size)

    @torch.no_grad()
    def point(self, paint: Paint, watch: Stopwatch, *, images: int) -> Point:
        """Where a training stands; `paint` takes and gives pictures in [0, 1]."""
        with watch.paused() as (seconds, cpu_seconds):
            content, style = (sum(losses) for losses in zip(*map(self._losses(paint), self.batches), strict=True))
            count = sum(map(len, self.batches))
            return Point(seconds, cpu_seconds, images, style=style / count, content=content / count)

    def _losses(self, paint: Paint) -> Callable[[Tensor], tuple[float, float]]:
        def of_a_batch(photos: Tensor) -> tuple[float, float]:
            losses = self.reference.losses(paint(photos).float().clamp(0, 1), photos)
            return tuple(float(loss) * len(photos) for loss in losses)  # type: ignore[return-value]

        return of_a_batch


def train_reference(reference: Reference, judge: Judge, clock: Clock, *, steps: int, tell: Tell) -> list[Point]:
    """Its curve, with a last point after `steps` steps. Its time begins with its style targets."""

    def look(step: int) -> None:
        point = judge.point(reference.paint, watch, images=step * reference.batch_size)
        points.append(point)
        tell(f"reference, step {step} of {steps}: {told(point)}")

    points: list[Point] = []
    watch = Stopwatch(clock, already=reference.trainer.seconds_on_targets)
    look(0)
    looks = Looks(first=1.0, growth=REFERENCE_GROWTH)
    for step in range(1, steps + 1):
        reference.step()
        if step == steps or looks.due(watch.seconds):
            look(step)
    return points


@dataclass(frozen=True)
class Limits:
    """What ends our training: the goal, or so many seconds, or the steps that its learning rate is planned for."""

    goal: Point
    seconds: float
    max_steps: int


def train_ours(
    module: StyleTraining,
    data: PhotoData,
    options: RunOptions,
    judge: Judge,
    clock: Clock,
    *,
    limits: Limits,
    tell: Tell,
) -> list[Point]:
    """Our curve. Its time begins before everything that `brushnet train` does with a built module: bank, compiling."""
    looking = Looking(judge, limits, Stopwatch(clock), tell=tell)
    run_bare(module, data, options, max_steps=limits.max_steps, callbacks=[looking])
    return looking.points


class Looking(pl.Callback):
    """Judges the averaged network now and then, and ends the training when it has reached the goal."""

    def __init__(self, judge: Judge, limits: Limits, watch: Stopwatch, *, tell: Tell):
        self.judge, self.limits, self.watch, self.tell = judge, limits, watch, tell
        self.looks = Looks(first=limits.goal.seconds * FIRST_SHARE, growth=GROWTH)
        self.points: list[Point] = []

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._look(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        over = self.watch.seconds >= self.limits.seconds or trainer.global_step >= self.limits.max_steps
        if over or self.looks.due(self.watch.seconds):
            self._look(trainer, module)
            if over or self.points[-1].reaches(self.limits.goal):
                trainer.should_stop = True

    def _look(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self.points.append(self.judge.point(painter(module), self.watch, images=module.batches_done * data.batch_size))
        self.tell(f"brushnet, step {trainer.global_step}: {told(self.points[-1])}")


def painter(module: StyleTraining) -> Paint:
    """The averaged network at s = 1, as a saved model paints."""

    def paint(photo_B3HW: Tensor) -> Tensor:
        zeros_B = torch.zeros(len(photo_B3HW))
        return module.paint(photo_B3HW, zeros_B, zeros_B.long())

    return paint


def told(point: Point) -> str:
    return f"{point.seconds:.1f} s, style {point.style:.3g}, content {point.content:.3g}"


@torch.no_grad()
def sheet_rows(
    photos_N3HW: Tensor, painters: Sequence[Paint], *, device: torch.device, most: int
) -> list[list[Tensor | None]]:
    """For each photo a row: itself, and what each of `painters` makes of it; (1, 3, H, W) in [0, 1]."""
    rows: list[list[Tensor | None]] = []
    for photo in photos_N3HW[:most].split(1):
        painted = [paint(photo.to(device)).float().clamp(0, 1).cpu() for paint in painters]
        rows.append([photo, *painted])
    return rows
