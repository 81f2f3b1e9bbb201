"""Training as `brushnet train` does it, in turn with the reference trainer, beside what the device could do."""

import statistics
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch._dynamo.utils import counters

from brushnet.bench.bare_run import ENDLESS, run_bare
from brushnet.bench.clock import Clock, median_rate
from brushnet.bench.rates import Rates
from brushnet.bench.reference import Reference
from brushnet.bench.steps import PARTS, StepParts
from brushnet.bench.work import Work, work_of
from brushnet.data.module import PhotoData
from brushnet.errors import BrushnetError
from brushnet.training.module import StyleTraining
from brushnet.training.run import RunOptions

ROUNDS = 3
LEAST_STEPS = 2  # of a block of ours; of the reference's, whose steps are long, one
WARM_UP_STEPS = 3
WARM_UP_RECORDED = 30  # there are some fifty kinds of steps
COUNTED_IMAGES = 16  # whose work is counted: that of a scaled trunk depends on the stroke that is drawn

Block = tuple[int, float]  # steps, seconds


@dataclass(frozen=True)
class TrainingFigures:
    """Blocks of steps as they were taken in turn, what a step consists of, and the work of one image."""

    batch_size: int
    ours: list[Block]
    reference: list[Block]
    reference_batch: int
    waited: list[float]  # seconds for data in each block of ours
    parts: list[dict[str, float]]
    work: Work
    reference_work: Work | None
    rates: Rates | None
    compiled_meanwhile: int  # graphs that torch.compile made in between: their blocks are too slow

    def to_dict(self) -> dict[str, Any]:
        ours = median_rate(self.ours, per_step=self.batch_size)
        parts = {name: statistics.median(each[name] for each in self.parts) for name in PARTS}
        shares = [waited / seconds for waited, (_, seconds) in zip(self.waited, self.ours, strict=True)]
        found: dict[str, Any] = {
            "batch_size": self.batch_size,
            "images_s": ours,
            "step_ms": 1000 * self.batch_size / ours,
            "parts_ms": {name: 1000 * value for name, value in parts.items()},
            "data_share": statistics.median(shares),
            "flops_per_image": round(self.work.flops),
            "bytes_per_image": round(self.work.bytes),
            "blocks": [[steps, seconds] for steps, seconds in self.ours],
            "compiled_meanwhile": self.compiled_meanwhile,
        }
        if self.reference and self.reference_work:
            theirs = median_rate(self.reference, per_step=self.reference_batch)
            found["reference"] = {
                "batch_size": self.reference_batch,
                "images_s": theirs,
                "step_ms": 1000 * self.reference_batch / theirs,
                "flops_per_image": round(self.reference_work.flops / self.reference_batch),
                "blocks": [[steps, seconds] for steps, seconds in self.reference],
            }
            found["ratio"] = ours / theirs
        return found


def measure_training(
    module: StyleTraining,
    data: PhotoData,
    options: RunOptions,
    *,
    reference: Reference | None,
    rates: Rates | None = None,
    seconds: float,
    rounds: int = ROUNDS,
    settle_steps: int | None = None,
) -> TrainingFigures:
    """Runs `module` on `data` until there are `rounds` of blocks.

    `seconds` are those of all blocks of one kind. Validation, checkpoints and sample grids come less often than once in
    so few steps: they are left out. Until `settle_steps` of a block are over (by default as many as its loader keeps
    ready) its time is not taken.
    """
    blocks = Blocks(
        reference=reference, rates=rates, seconds=seconds / rounds, rounds=rounds, settle_steps=settle_steps
    )
    if reference:
        reference.warm_up()  # before: a run ends every loading process that was started within it
    run_bare(module, data, options, max_steps=ENDLESS, callbacks=[blocks])
    if blocks.figures is None:
        raise BrushnetError("the training ended before it was measured")
    return blocks.figures


class Blocks(pl.Callback):
    """Blocks of our steps, of the reference's, of matrix products, and of ours with a step's parts timed, in turn.

    The last needs the device to be waited for at every part, and steps that are not replayed: no measure of speed on a
    GPU.
    """

    def __init__(
        self,
        *,
        reference: Reference | None,
        rates: Rates | None,
        seconds: float,
        rounds: int,
        settle_steps: int | None,
    ):
        self.reference, self.rates = reference, rates
        self.seconds, self.rounds, self.settle_steps = seconds, rounds, settle_steps
        self.figures: TrainingFigures | None = None

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        assert isinstance(module, StyleTraining)
        self.module = module
        self.clock = Clock(trainer.strategy.root_device)
        self.parts = StepParts(self.clock)
        trainer.profiler = self.parts  # type: ignore[attr-defined]
        module.paint = self.parts.painting(module.paint)  # type: ignore[method-assign]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        with trainer.precision_plugin.forward_context():
            self.work = step_work(module, batch_size=data.batch_size, crop_px=data.crop_px)
        if self.settle_steps is None:  # twice the batches of each worker lie ready
            loader: Any = trainer.train_dataloader
            self.settle_steps = 2 * loader.num_workers
        self.course = self._course(data.batch_size)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if next(self.course, "over") == "over":
            trainer.should_stop = True

    def _course(self, batch_size: int) -> Iterator[None]:
        """Waits for the next step at each `yield`."""
        yield from self._warm_up()
        before = compiled_graphs()
        ours: list[Block] = []
        theirs: list[Block] = []
        waited: list[float] = []
        parts: list[dict[str, float]] = []
        for _ in range(self.rounds):
            yield from self._block(ours)
            waited.append(self.parts.waited)
            if self.reference:
                assert self.settle_steps is not None
                theirs.append(self.reference.block(self.clock, seconds=self.seconds, settle=self.settle_steps))
            if self.rates:
                self.rates.block(seconds=self.seconds)
            timed: list[Block] = []
            with self._step_by_step():
                yield from self._block(timed, parts=True)
            parts.append(self.parts.per_step(*timed[0]))
        self.figures = TrainingFigures(
            batch_size=batch_size,
            ours=ours,
            reference=theirs,
            reference_batch=self.reference.batch_size if self.reference else batch_size,
            waited=waited,
            parts=parts,
            work=self.work,
            reference_work=self.reference.work if self.reference else None,
            rates=self.rates,
            compiled_meanwhile=compiled_graphs() - before,
        )

    @contextmanager
    def _step_by_step(self) -> Iterator[None]:
        """Of a step that a GPU replays as a whole there are no parts."""
        recorded, self.module.recorded = self.module.recorded, None
        yield
        self.module.recorded = recorded

    def _warm_up(self) -> Iterator[None]:
        """Until some steps in a row have compiled or recorded nothing: a scaled trunk varies in size."""
        begun, quiet = self.clock(), 0
        steps = WARM_UP_RECORDED if self.module.recorded else WARM_UP_STEPS
        while quiet < steps or self.clock.now() - begun < self.seconds:
            before = compiled_graphs() + self.module.prepared
            yield
            quiet = quiet + 1 if compiled_graphs() + self.module.prepared == before else 0

    def _block(self, found: list[Block], *, parts: bool = False) -> Iterator[None]:
        assert self.settle_steps is not None
        yield from self._settle(self.settle_steps)
        self.parts.start_over()
        self.parts.on = parts
        begun = self.clock()
        steps = yield from self._steps(LEAST_STEPS, seconds=self.seconds)
        found.append((steps, self.clock() - begun))
        self.parts.on = False

    def _settle(self, steps: int) -> Iterator[None]:
        """Batches that were made while the reference had its turn must not count: that would hide the wait for data."""
        begun = self.clock()
        for _ in range(steps):
            yield
            if self.clock.now() - begun > self.seconds / 2:
                break

    def _steps(self, least: int, *, seconds: float) -> Generator[None, None, int]:
        begun, steps = self.clock(), 0
        while steps < least or self.clock.now() - begun < seconds:
            yield
            steps += 1
        return steps


def compiled_graphs() -> int:
    """Graphs that torch.compile has made so far in this process."""
    return counters["stats"]["unique_graphs"]


def step_work(module: StyleTraining, *, batch_size: int, crop_px: int) -> Work:
    """Work of one image in a training step: forward, losses and backward; a mean where strokes differ in cost."""
    images = batch_size if module.stroke.min == module.stroke.max else max(batch_size, COUNTED_IMAGES)
    calls: list[tuple[float, float]] = []
    for first in range(0, images, batch_size):
        generator = torch.Generator().manual_seed(first)
        photo = torch.randint(0, 256, (batch_size, 3, crop_px, crop_px), dtype=torch.uint8, generator=generator)
        batch = {"photo": photo.to(module.device), "index": torch.arange(first, first + batch_size)}
        calls += work_of(lambda batch=batch: _step(module, batch)).calls  # type: ignore[misc]
    module.net.zero_grad()
    counted = batch_size * -(-images // batch_size)
    return Work([(flops / counted, moved / counted) for flops, moved in calls])


def _step(module: StyleTraining, batch: dict[str, torch.Tensor]) -> None:
    with torch.enable_grad():
        drawn = module.draw(batch)
        painting = module.paint(drawn.photo, drawn.log2_stroke, drawn.style, net=module.net)
        torch.stack([term.mean() for term in module.terms(painting, drawn).values()]).sum().backward()
