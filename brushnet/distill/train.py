"""The distillation: one step, the loop, its checkpoint."""

import io
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from brushnet import torch_file
from brushnet.alike import UnlikeError, check_alike, check_optimizer, check_schedule
from brushnet.distill import pictures
from brushnet.distill.axes import main_axes, project, units
from brushnet.distill.chased import chased
from brushnet.distill.objective import distillation_loss, distillation_terms
from brushnet.distill.student import Student, Widths, layer_names
from brushnet.errors import BrushnetError, UserError
from brushnet.files import write_whole
from brushnet.lossnet import LossNetwork

log = logging.getLogger(__name__)

Terms = dict[str, dict[str, Tensor]]

AXES_BATCHES = 8
DEEP_EVERY_STEPS = 4  # layers behind the last stage's first are seldom used and cost the teacher as much as all before
CHASED = 4  # one picture of so many


@dataclass(frozen=True)
class Settings:
    """What the result depends on, beside the teacher and the pictures."""

    widths: Widths
    steps: int
    batch_size: int
    crop_px: int
    learning_rate: float
    seed: int
    teacher_bf16: bool = False


def distill(run: "Distillation", *, save_every: int) -> None:
    """Trains to the end, from where the run's checkpoint ends."""
    settings, started = run.settings, time.perf_counter()
    for step in range(run.first, settings.steps):
        terms = run.step(step)
        if (step + 1) % save_every == 0 or step + 1 == settings.steps:
            _log(step + 1, settings.steps, terms, (time.perf_counter() - started) / (step + 1 - run.first))
            run.save(step + 1)


class Distillation:
    """A student, its teacher along its main axes, the optimiser's state; all from `checkpoint` if there is one.

    Raises UserError where that is of another distillation, or cannot be read.
    """

    def __init__(
        self,
        teacher: LossNetwork,
        sources: Sequence[Tensor],
        settings: Settings,
        *,
        checkpoint: Path,
        device: str = "cpu",
    ):
        self.settings, self.sources, self.checkpoint, self.device = settings, sources, checkpoint, device
        self.teacher = teacher.to(device, memory_format=torch.channels_last)
        self.student = Student(settings.widths, _ranks(settings.widths, teacher), seed=settings.seed)
        self.student.to(device).to(memory_format=torch.channels_last)
        self.shallow = self.student.layers[: 1 + len(self.student.layers) - len(settings.widths[-1])]
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=settings.learning_rate)
        total = settings.steps + 1
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, settings.learning_rate, total_steps=total, pct_start=max(0.1, 2 / total)
        )
        self.identity = {
            "settings": json.dumps(asdict(settings), sort_keys=True),
            "teacher": pictures.digest([*teacher.convs.parameters(), *teacher.metric.values()]),
            "pictures": pictures.digest(sources),
        }
        self.first = self._resume() if checkpoint.is_file() else self._begin()

    def step(self, step: int) -> Terms:
        """One step of the optimiser, on the pictures of this step."""
        layers = self._layers(step)
        batch = chased(
            self.student,
            self._batch(step),
            count=self.settings.batch_size // CHASED,
            moves=1 + step % 2,
            last=self.shallow[-1],
        )
        feats = self.student(batch, last=layers[-1])
        terms = distillation_terms(feats, dict(self.student.maps.items()), self._wanted(batch, layers))
        self.optimizer.zero_grad()
        distillation_loss(terms).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        if not norm.isfinite():
            raise BrushnetError(
                f"step {step}: the gradient is no longer finite; delete {self.checkpoint} and begin anew with a lower "
                f"--learning-rate than {self.settings.learning_rate:g}"
            )
        self.optimizer.step()
        self.schedule.step()
        return terms

    def state(self) -> dict[str, Tensor]:
        """The student as a loss network's state dict."""
        return self.student.state(units(self.axes))

    @torch.no_grad()
    def unexplained(self, step: int) -> dict[str, Tensor]:
        """1 - R^2 by layer on one batch."""
        batch = self._batch(step)
        feats = self.student(batch, last=self.student.layers[-1])
        return distillation_terms(feats, dict(self.student.maps.items()), self._wanted(batch, self.student.layers))[
            "unexplained"
        ]

    def save(self, step: int) -> None:
        """Whole or not at all: a kill leaves the one before."""
        buffer = io.BytesIO()
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save({**parts, **self.identity, "axes": self.axes, "step": step}, buffer)
        write_whole(self.checkpoint, buffer.getvalue())

    def _begin(self) -> int:
        # Batches before the first step's, so that no step sees them.
        feats = (self._teach(self._batch(-1 - i), self.student.layers) for i in range(AXES_BATCHES))
        self.axes = main_axes(feats, {name: len(matrix) for name, matrix in self.student.maps.items()})
        self._fit_maps()
        return 0

    def _resume(self) -> int:
        saved = _read(self.checkpoint)
        for name, value in self.identity.items():
            if saved.get(name) != value:
                raise UserError(
                    f"{self.checkpoint} is of another distillation ({name} {saved.get(name)!s:.400}, now {value}); "
                    "give what it began with, or another --out"
                )
        self._check(saved)
        self.axes = {name: axes.to(self.device) for name, axes in saved["axes"].items()}
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        log.info("going on after step %d", saved["step"])
        return int(saved["step"])

    def _check(self, saved: Mapping[str, Any]) -> None:
        channels = self.teacher.channels
        axes = {name: torch.zeros(len(matrix), channels[name]) for name, matrix in self.student.maps.items()}
        try:
            check_alike("student", saved["student"], self.student.state_dict())
            check_alike("axes", saved["axes"], axes)
            check_optimizer(saved["optimizer"], self.optimizer, moving=("lr", "betas"))
            check_schedule(saved["schedule"], self.schedule)
            check_alike("step", saved["step"], 0)
            if saved["step"] > self.settings.steps or saved["schedule"]["last_epoch"] != saved["step"]:
                raise UnlikeError(f"step must be the schedule's and at most {self.settings.steps}, got {saved['step']}")
        except UnlikeError as error:
            raise UserError(f"{self.checkpoint} is damaged: {error}; delete it to begin anew") from error

    def _parts(self) -> Mapping[str, Student | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler]:
        return {"student": self.student, "optimizer": self.optimizer, "schedule": self.schedule}

    def _batch(self, step: int) -> Tensor:
        crops = pictures.batch(
            self.sources,
            crop_px=self.settings.crop_px,
            size=self.settings.batch_size,
            seed=self.settings.seed,
            step=step,
        )
        return crops.to(self.device, memory_format=torch.channels_last)

    def _layers(self, step: int) -> list[str]:
        return self.student.layers if step % DEEP_EVERY_STEPS == 0 else self.shallow

    @torch.no_grad()
    def _teach(self, batch: Tensor, layers: list[str]) -> dict[str, Tensor]:
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=self.settings.teacher_bf16):
            return self.teacher.features(batch, layers)

    def _wanted(self, batch: Tensor, layers: list[str]) -> dict[str, Tensor]:
        return {name: project(feats.float(), self.axes[name]) for name, feats in self._teach(batch, layers).items()}

    @torch.no_grad()
    def _fit_maps(self) -> None:
        """The maps start where they are best for the untrained student."""
        batch = self._batch(-1)
        wanted = self._wanted(batch, self.student.layers)
        for name, feats in self.student(batch, last=self.student.layers[-1]).items():
            self.student.maps[name].copy_(ridge(feats, wanted[name]))


def _read(checkpoint: Path) -> dict[str, Any]:
    try:
        saved = torch_file.load(checkpoint)
    except torch_file.UnreadableError as error:
        raise UserError(f"{checkpoint} cannot be read: {error}; delete it to begin anew") from error
    if not isinstance(saved, dict) or not {"student", "optimizer", "schedule", "axes", "step"} <= saved.keys():
        raise UserError(f"{checkpoint} is no checkpoint of a distillation; delete it to begin anew")
    return saved


def ridge(feats_BCHW: Tensor, wanted_BKHW: Tensor, *, strength: float = 1e-4) -> Tensor:
    """Map (K, C) of least squares, slightly shrunk."""
    feats_CN = feats_BCHW.transpose(0, 1).flatten(1).double()
    wanted_KN = wanted_BKHW.transpose(0, 1).flatten(1).double()
    second = feats_CN @ feats_CN.T
    second.diagonal().add_(strength * second.diagonal().mean())
    return torch.linalg.solve(second, feats_CN @ wanted_KN.T).T.float()


def require_layers(teacher: LossNetwork, widths: Widths) -> None:
    """Raises UserError where the student would be deeper than its teacher."""
    teacher.require(layer_names(widths), option="--widths")


def _ranks(widths: Widths, teacher: LossNetwork) -> dict[str, int]:
    """Axes to compare each layer along: twice the student's channels, or all that the teacher has."""
    require_layers(teacher, widths)
    flat = [width for stage in widths for width in stage]
    return {name: min(teacher.channels[name], 2 * width) for name, width in zip(layer_names(widths), flat, strict=True)}


def _log(step: int, steps: int, terms: Terms, seconds: float) -> None:
    parts = (
        f"{kind} " + " ".join(f"{name.removeprefix('relu')}={float(value.detach()):.3f}" for name, value in row.items())
        for kind, row in terms.items()
    )
    log.info("step %d of %d (%.2f s a step): %s", step, steps, seconds, "; ".join(parts))
