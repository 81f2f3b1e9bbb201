"""The Lightning module: one step, its schedule, its averaged weights, what happens to a bad step.

Optimisation is manual, so that a step whose loss or gradient is not finite can be skipped with the optimiser untouched.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from brushnet import seeds
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork
from brushnet.nets import ResidualTransformer
from brushnet.strokes import Painting, StrokeRange
from brushnet.training.ahead import StepsAhead
from brushnet.training.averaging import AveragedNet
from brushnet.training.collapse import CollapseWatch
from brushnet.training.compiling import compile_step
from brushnet.training.faults import Fault, skip_step
from brushnet.training.loops import loops_after
from brushnet.training.nearest import start_at_nearest
from brushnet.training.objective import loss_terms, observe
from brushnet.training.recorded import RecordedSteps, say_why, why_not
from brushnet.training.schedule import learning_rate_factor
from brushnet.training.spectrum import SpectrumTarget
from brushnet.training.spikes import GradientSpikes
from brushnet.training.step import Computed, Drawn, nan_unless_finite
from brushnet.training.targets import CropTargets, StyleBank

VALIDATION_SCALES = (0.5, 1.0, 2.0)  # those inside the trained range; outside it, its nearest end
CHECKPOINT_KEY = "brushnet"


class StyleTraining(pl.LightningModule):
    """Trains `net` to paint photos with the paintings' strokes at any scale of `stroke`.

    Batches are `{"photo": (B, 3, H, W) uint8, "index": (B,) global sample index}`. `paintings` are the network's last
    styles: those before them stay as they are. `describe(module)` returns the saved model's metadata as a string; it
    goes into every checkpoint.
    """

    def __init__(
        self,
        net: ResidualTransformer,
        *,
        lossnet: LossNetwork,
        spec: LossSpec,
        paintings: Sequence[Painting],
        stroke: StrokeRange,
        target: str,
        bank_step_octaves: float,
        crop_px: int,
        seed: int,
        learning_rate: float,
        schedule: str,
        warmup_steps: int,
        gradient_clip: float,
        ema_decay: float,
        max_bad_steps: int,
        total_steps: int,
        channels_last: bool,
        compiled: bool,
        describe: Callable[["StyleTraining"], str],
    ):
        super().__init__()
        self.automatic_optimization = False
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.memory_format)  # here: DDP lays out its buckets by it
        self.ema = AveragedNet(net, decay=ema_decay)
        self.lossnet, self.spec = lossnet, spec
        self.paintings, self.stroke, self.target = paintings, stroke, target
        self.bank_step_octaves, self.crop_px, self.seed = bank_step_octaves, crop_px, seed
        self.learning_rate, self.schedule, self.warmup_steps = learning_rate, schedule, warmup_steps
        self.gradient_clip, self.max_bad_steps = gradient_clip, max_bad_steps
        self.total_steps = total_steps  # a time budget lowers it once, early on (see TimeBudget)
        self.describe = describe
        self.compiled, self.observe = compiled, observe
        self.batches_done = 0
        self.bad_steps = 0
        self.bad_steps_in_a_row = 0
        self.fault: Fault | None = None  # of the first of them
        self.clipped_steps = 0
        self.spikes = GradientSpikes(clip=gradient_clip)
        self.seconds_before = 0.0  # of the sessions before this one
        self.last_losses: dict[str, float] = {}
        self.shown: dict[str, Tensor] = {}  # losses of the last step, on the device: to read one is to wait for it
        self.ahead: StepsAhead | None = None
        self.recorded: RecordedSteps | None = None
        self.bank: StyleBank | None = None
        self.fit_started, self.trained_on = time.perf_counter(), "cpu"

    def on_fit_start(self) -> None:
        self.fit_started, self.trained_on = time.perf_counter(), str(self.device)
        self.ahead = StepsAhead(self) if self._runs_ahead() else None
        self.recorded = self._recorded_steps()
        self.lossnet.to(self.device, memory_format=self.memory_format)
        self.bank = StyleBank(
            self.paintings,
            self.lossnet,
            self.spec,
            self.stroke,
            step_octaves=self.bank_step_octaves,
            device=self.device,
        )
        if self.spec.spectrum_weight:
            self.spectrum = SpectrumTarget(
                self.paintings, self.stroke, step_octaves=self.bank_step_octaves, device=self.device
            )
        if self.compiled:
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            compile_step(self, batch_size=data.batch_size)
        self.collapse = CollapseWatch(self.paintings, learning_rate=self.learning_rate)
        self.crops = CropTargets(
            self.bank, self.paintings, self.lossnet, self.spec, crop_px=self.crop_px, seed=self.seed
        )

    def on_train_start(self) -> None:
        added = len(self.paintings)
        if self.net.styles - added > 1 and self.global_step == 0:
            assert self.bank is not None
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            start_at_nearest(
                [cast(ResidualTransformer, self.ema.module), self.net],
                self.bank,
                self.as_float(next(iter(data.val_dataloader()))["photo"].to(self.device)),
                added=added,
                stroke=self.stroke,
                scales=self.stroke.inside(VALIDATION_SCALES),
                lossnet=self.lossnet,
                spec=self.spec,
            )

    def _recorded_steps(self) -> RecordedSteps | None:
        if self.device.type != "cuda":
            return None
        if cause := why_not(self):
            say_why(cause)
            return None
        return RecordedSteps(self)

    def on_fit_end(self) -> None:
        self.recorded = None  # gigabytes, in a circle of references
        self.net.zero_grad()

    def _runs_ahead(self) -> bool:
        return self._trainer is not None and self._trainer.strategy.root_device.type == "cuda"

    def on_train_batch_start(self, batch: Any, batch_index: int) -> int | None:
        return -1 if self.trainer.should_stop else None  # asked for since the last step: this one is left for a resume

    @property
    def seconds_trained(self) -> float:
        """Over all sessions of the run."""
        return self.seconds_before + time.perf_counter() - self.fit_started

    def paint(
        self, photo_B3HW: Tensor, log2_stroke_B: Tensor, style_B: Tensor, *, net: nn.Module | None = None
    ) -> Tensor:
        """The painting (B, 3, H, W) of photos in [0, 1], by the averaged network unless another is given."""
        weights_BK = nn.functional.one_hot(self.first_style + style_B, self.net.styles).to(photo_B3HW.dtype)
        told = self.stroke.told(log2_stroke_B).to(photo_B3HW.dtype)  # on the CPU, both: the network reads them
        return (net or self.ema.module)(photo_B3HW, told, weights_BK)

    @property
    def first_style(self) -> int:
        """Of the network's, that of `paintings`."""
        return self.net.styles - len(self.paintings)

    @property
    def prepared(self) -> int:
        """How many kinds of steps were recorded: a step that adds to it takes long."""
        return len(self.recorded.recordings) if self.recorded else 0

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        found = (self.recorded.step(batch) if self.recorded else None) or self._computed(batch)
        self.shown = {"loss": found.loss.detach(), **{name: value.detach() for name, value in found.means.items()}}
        if self.ahead:
            self.ahead.descend(batch, found.loss, found.norm)
            self._log_step(found.norm)
        elif math.isfinite(found.norm):
            self._descend(float(found.norm))
            self._log_step(found.norm)
        else:
            skip_step(self, batch, step=self.global_step + 1, loss=float(found.loss.detach()), norm=float(found.norm))
        self.batches_done += 1

    def _computed(self, batch: dict[str, Tensor]) -> Computed:
        drawn = self.draw(batch)
        painting = self.paint(drawn.photo, drawn.log2_stroke, drawn.style, net=self.net)
        means, loss = self.mean_terms(painting, drawn)
        self.optimizers().zero_grad()  # type: ignore[union-attr]
        self.manual_backward(nan_unless_finite(loss))
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.gradient_clip or math.inf)
        return Computed(means, loss, norm)

    def mean_terms(self, painting: Tensor, drawn: Drawn) -> tuple[dict[str, Tensor], Tensor]:
        """Mean over the batch of each term, and their sum, which is minimised."""
        means = {name: term.mean() for name, term in self.terms(painting, drawn).items()}
        return means, torch.stack(list(means.values())).sum()

    def loss_at(self, photo_B3HW: Tensor, log2_stroke_B: Tensor, style_B: Tensor) -> Tensor:
        """The loss of a step with these photos in [0, 1] at these scales."""
        assert self.bank is not None
        drawn = Drawn(photo_B3HW, log2_stroke_B, style_B, self.bank.target(log2_stroke_B, style_B))
        return self.mean_terms(self.paint(photo_B3HW, log2_stroke_B, style_B, net=self.net), drawn)[1]

    def draw(self, batch: dict[str, Tensor]) -> Drawn:
        """What a batch is to become: a pure function of the seed and its sample indices."""
        indices_B = batch["index"].cpu()
        log2_stroke_B = self.stroke.sample(self.seed, indices_B)
        style_B = self.draw_styles(indices_B)
        assert self.bank is not None
        if self.target == "bank":
            targets = self.bank.target(log2_stroke_B, style_B)
        else:
            targets = self.crops.target(log2_stroke_B, style_B, indices_B)
        return Drawn(self.as_float(batch["photo"]), log2_stroke_B, style_B, targets)

    def terms(self, painting: Tensor, drawn: Drawn) -> dict[str, Tensor]:
        """All that is minimised, each (B,)."""
        photo, log2_stroke_B, style_B, targets, plan = drawn
        terms = loss_terms(
            painting,
            photo,
            targets,
            lossnet=self.lossnet,
            spec=self.spec,
            log2_stroke_B=log2_stroke_B,
            observe=self.observe if torch.is_grad_enabled() else observe,  # compiled is what a step takes
            plan=plan,
        )
        if self.spec.spectrum_weight:
            terms["spectrum"] = self.spec.spectrum_weight * self.spectrum.distance(painting, log2_stroke_B, style_B)
        return terms

    def _descend(self, norm: float) -> None:
        self.note_step(norm, step=self.global_step + 1)
        optimizer: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        optimizer.step()
        schedule.step()
        self.ema.update_parameters(self.net)

    def note_step(self, norm: float, *, step: int) -> None:
        """One that moved the weights, with its gradient norm before clipping."""
        self.bad_steps_in_a_row, self.fault = 0, None
        self.clipped_steps += norm > self.gradient_clip > 0
        self.spikes.see(norm, step=step)

    def _log_step(self, norm: Tensor) -> None:
        # Not through Lightning: after a resume it counts anew when a row is due, and repeats one for a skipped step.
        trainer: Any = self.trainer
        schedule: Any = self.lr_schedulers()
        if (self.batches_done + 1) % trainer.log_every_n_steps:
            return
        self.look()
        row = {
            **{f"train/{name}": float(value) for name, value in self.shown.items()},
            "train/gradient_norm": float(norm),
            "train/clipped_steps": float(self.clipped_steps),
            "train/learning_rate": schedule.get_last_lr()[0],
            "train/skipped_steps": float(self.bad_steps),
        }
        if math.isfinite(row["train/gradient_norm"]):
            for logger in trainer.loggers:
                logger.log_metrics(row, step=self.global_step)

    def look(self) -> None:
        """At the steps that were not waited for."""
        if self.ahead:
            self.ahead.look()

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        photo = self.as_float(batch["photo"])
        assert self.bank is not None
        for number, scale in enumerate(self.stroke.inside(VALIDATION_SCALES)):
            octaves_B = torch.full((len(photo),), math.log2(scale))
            # In turn, at the next scale by the next: of more paintings than photos some are not seen.
            style_B = (batch["index"].cpu() + number) % len(self.paintings)
            targets = self.bank.target(octaves_B, style_B)
            painting = self.paint(photo, octaves_B, style_B)
            terms = self.terms(painting, Drawn(photo, octaves_B, style_B, targets))
            if self.trainer.is_global_zero:  # every process sees the same
                self.collapse.see(painting, photo, style_B, scale=scale)
            style = torch.stack([term for name, term in terms.items() if name.startswith("style/")]).sum(dim=0)
            found = {
                "val/loss": torch.stack(list(terms.values())).sum(dim=0),
                **{f"val/{name}": terms[name] for name in ("content", "spectrum", "grid") if name in terms},
                "val/style": style,
                f"val/style@{scale:g}": style,
            }
            if len(self.paintings) > 1:
                for index, value in zip(style_B.tolist(), style.split(1), strict=True):
                    self._validation.setdefault(f"val/style/{self.paintings[index].name}", []).append(value)
            for name, value in found.items():
                self._validation.setdefault(name, []).append(value)

    def on_validation_epoch_start(self) -> None:
        self._validation: dict[str, list[Tensor]] = {}

    def on_validation_epoch_end(self) -> None:
        means = {name: torch.cat(values).mean() for name, values in self._validation.items()}
        self.log_dict({"step": float(self.global_step), **means}, sync_dist=True)
        self.last_losses = {name: float(value) for name, value in means.items()}
        self.collapse.judge(step=self.global_step)

    def as_float(self, photo: Tensor) -> Tensor:
        return (photo.float() / 255).contiguous(memory_format=self.memory_format)

    def draw_styles(self, indices_B: Tensor) -> Tensor:
        if len(self.paintings) == 1:
            return torch.zeros_like(indices_B)
        return seeds.integers(self.seed, "style", indices_B, len(self.paintings))

    def configure_optimizers(self) -> Any:
        trained = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=self.learning_rate, fused=self._runs_ahead() or None)
        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_factor)]

    def _rate_factor(self, step: int) -> float:
        return learning_rate_factor(self.schedule, step, total_steps=self.total_steps, warmup_steps=self.warmup_steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.look()
        _set_fused(checkpoint, None)  # as on a CPU: a run may go on there
        checkpoint["progress"] = {name: getattr(self, name) for name in PROGRESS}
        checkpoint[CHECKPOINT_KEY] = self.describe(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        _set_fused(checkpoint, self._runs_ahead() or None)
        saved = checkpoint["progress"]
        self.batches_done, self.bad_steps = saved["batches_done"], saved["bad_steps"]
        self.bad_steps_in_a_row, self.clipped_steps = saved.get("bad_steps_in_a_row", 0), saved.get("clipped_steps", 0)
        self.seconds_before, self.last_losses = saved["seconds_trained"], saved["last_losses"]
        fresh = self.trainer.fit_loop.state_dict()
        checkpoint["loops"] = {
            "fit_loop": loops_after(fresh, batches=self.batches_done, steps=checkpoint["global_step"])
        }


PROGRESS = (
    "batches_done",
    "bad_steps",
    "bad_steps_in_a_row",
    "clipped_steps",
    "seconds_trained",
    "last_losses",
)


def _set_fused(checkpoint: dict[str, Any], fused: bool | None) -> None:
    for optimizer in checkpoint["optimizer_states"]:
        for group in optimizer["param_groups"]:
            group["fused"] = fused
