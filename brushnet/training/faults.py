"""A step whose loss or gradient is not finite: in which tensor that began, and what is said and written of it."""

import logging
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from brushnet import files
from brushnet.checkpoints.folder import FOLDER, LAST
from brushnet.errors import BrushnetError
from brushnet.training.trail import Figures, Trail, leaves

if TYPE_CHECKING:
    from brushnet.training.module import StyleTraining
    from brushnet.training.step import Drawn

log = logging.getLogger(__name__)

REPORT = "faults.txt"
SAMPLES_SAID = 4  # the report has all
_REMEDIES = "a lower trainer.learning_rate or loss.style_weight, or trainer.precision=32-true"


@dataclass(frozen=True)
class Fault:
    """A step that was computed again and watched: the tensors in their order, and the samples of its batch."""

    step: int
    samples: tuple[str, ...]  # what each is: index, stroke scale, painting
    seen: tuple[Figures, ...]
    several_processes: bool

    @property
    def began(self) -> Figures | None:
        return next((figures for figures in self.seen if not figures.finite), None)

    @property
    def cause(self) -> str:
        """In half a sentence."""
        if not self.seen:
            return "there is not enough memory to compute it again and see where it began"
        if self.began is not None:
            concerned = [self.samples[place] for place in self.began.samples] or list(self.samples)
            more = [f"{len(concerned) - SAMPLES_SAID} more samples"] if len(concerned) > SAMPLES_SAID else []
            return f"it began in {self.began}; {'; '.join(concerned[:SAMPLES_SAID] + more)}"
        if self.several_processes:
            return "every tensor of this process is finite: it began in another process's batch"
        return "computed again, every tensor is finite: the arithmetic is not deterministic, or the hardware failed"

    def report(self) -> str:
        """All that is known, to be read by a human."""
        width = max((len(figures.name) for figures in self.seen), default=0)
        rows = [
            f"{f.name:<{width}}  {f.nan:>9}  {f.infinite:>9}  {f.largest:>12.4g}  {'x'.join(map(str, f.shape))}"
            for f in self.seen
        ]
        return "\n".join(
            [
                f"Step {self.step}: loss or gradient not finite; {self.cause}.",
                "",
                "The batch:",
                *self.samples,
                "",
                "Its tensors in the order in which they were computed:",
                f"{'name':<{width}}  {'NaN':>9}  {'infinite':>9}  {'largest else':>12}  shape",
                *rows,
                "",
            ]
        )


def skip_step(module: "StyleTraining", batch: dict[str, Tensor], *, step: int, loss: float, norm: float) -> None:
    """Leaves weights, optimiser, schedule and average as they are, and counts. BrushnetError: one too many in a row."""
    module.bad_steps += 1
    module.bad_steps_in_a_row += 1
    first = module.fault is None
    fault = module.fault = module.fault or diagnose(module, batch, step=step)  # the first of a row tells where it began
    log.warning(
        "step skipped: loss %g, gradient norm %g (%d skipped so far, %d in a row)%s",
        loss,
        norm,
        module.bad_steps,
        module.bad_steps_in_a_row,
        f"; {fault.cause}" if first else "",
    )
    if module.bad_steps_in_a_row >= module.max_bad_steps:
        _give_up(module, fault)


def diagnose(module: "StyleTraining", batch: dict[str, Tensor], *, step: int) -> Fault:
    """Computes the step again and watches. Changes nothing and waits for no other process."""
    torch.clear_autocast_cache()  # it holds on to the graph of the step that failed
    trail, drawn = Trail(len(batch["index"])), module.draw(batch)
    try:
        with torch.compiler.set_stance("force_eager"):  # nobody can look into what is compiled
            _follow(trail, module, drawn)
    except torch.OutOfMemoryError:  # to watch takes more than the step itself
        trail.seen.clear()
    return Fault(
        step=step,
        samples=_describe(module, batch, drawn),
        seen=tuple(trail.seen),
        several_processes=module.trainer.world_size > 1,
    )


def _follow(trail: Trail, module: "StyleTraining", drawn: "Drawn") -> None:
    _add_weights(trail, module.lossnet.convs, "lossnet", names=module.lossnet.layers)
    _add_drawn(trail, drawn)
    _add_weights(trail, module.net, "net")
    _add_pass(trail, module, drawn)


def _add_weights(trail: Trail, module: nn.Module, owner: str, *, names: list[str] | None = None) -> None:
    for name, weight in module.named_parameters():
        if names is not None:
            place, _, kind = name.partition(".")
            name = f"{names[int(place)]}.{kind}"
        trail.add(f"weight {owner}.{name}", weight, of_samples=False)


def _add_drawn(trail: Trail, drawn: "Drawn") -> None:
    trail.add("photo", drawn.photo)
    for (level, layer), target in drawn.targets.items():
        place = f"of {layer} at pyramid level {level}"
        trail.add(f"target covariance {place}", target.statistics.matrix)
        trail.add(f"target mean {place}", target.statistics.mean)
        trail.add(f"1 / target energy {place}", 1 / target.matrix_energy)  # what the loss is divided by
        trail.add(f"1 / target mean's energy {place}", 1 / target.mean_energy)


def _add_pass(trail: Trail, module: "StyleTraining", drawn: "Drawn") -> None:
    lossnet = {
        f"lossnet.{layer}": conv for layer, conv in zip(module.lossnet.layers, module.lossnet.convs, strict=True)
    }
    with trail.following({**leaves(module.net, "net"), **lossnet}):
        painting = module.paint(drawn.photo, drawn.log2_stroke, drawn.style, net=module.net)
        trail.add("painting", painting)
        trail.follow_gradient("the painting", painting)
        terms = module.terms(painting, drawn)
        for name, term in terms.items():
            trail.add(f"loss {name}", term)
        loss = torch.stack([term.mean() for term in terms.values()]).sum()
        trail.add("loss", loss)
        trained = [parameter for parameter in module.net.parameters() if parameter.requires_grad]
        # Not backward(): that would write the gradients and, in DDP, wait for those of the other processes.
        gradients = torch.autograd.grad(loss, trained, allow_unused=True)
    trail.add("gradient norm", nn.utils.get_total_norm([each for each in gradients if each is not None]))


def _describe(module: "StyleTraining", batch: dict[str, Tensor], drawn: "Drawn") -> tuple[str, ...]:
    samples = zip(batch["index"].tolist(), drawn.log2_stroke.tolist(), drawn.style.tolist(), strict=True)
    return tuple(
        f"sample {index} at s = {2**octaves:.3g} of {module.paintings[style].name}" for index, octaves, style in samples
    )


def _give_up(module: "StyleTraining", fault: Fault) -> NoReturn:
    """Every process of several comes here in the same step. What was saved stays as it is."""
    run_dir = _run_dir(module)
    report = run_dir / (REPORT if module.global_rank == 0 else f"faults_{module.global_rank}.txt")
    files.write_whole(report, fault.report().encode())
    raise BrushnetError(
        f"training stopped at step {module.global_step}: {module.bad_steps_in_a_row} steps in a row had a non-finite "
        f"loss or gradient; {fault.cause}; all of it is in {report}; {_way_on(module)}"
    )


def check_weights(module: "StyleTraining") -> None:
    """Before they are saved. BrushnetError, on every process, where they are not finite on one.

    No skipped step mends that, and no training step does it: memory or hardware failed.
    """
    optimizer: Any = module.optimizers(use_pl_optimizer=False)
    state = {f"optimiser.{place}.{name}": value for place, each in enumerate(optimizer.state.values())
             for name, value in each.items()}  # fmt: skip
    saved = {name: value for name, value in {**module.state_dict(), **state}.items() if isinstance(value, Tensor)}
    fine = [bool(value.isfinite().all()) for value in saved.values()]
    strategy: Any = module.trainer.strategy
    if strategy.reduce_boolean_decision(not all(fine), all=False):
        spoilt = next((name for name, good in zip(saved, fine, strict=True) if not good), "of another process")
        raise BrushnetError(
            f"training stopped at step {module.global_step}: weight {spoilt} is no longer finite, though every step "
            f"was: memory or hardware failed; nothing was saved of it; {_way_on(module)}"
        )


def _way_on(module: "StyleTraining") -> str:
    run_dir = _run_dir(module)
    last = run_dir / FOLDER / LAST
    if not last.is_file():
        return f"nothing was saved before: start anew with {_REMEDIES}"
    rate = f"trainer.learning_rate={module.learning_rate / 3:.2g}"
    command = f"brushnet train resume={shlex.quote(str(run_dir))}"
    return (
        f"the last good checkpoint is {last}: {command} repeats the steps after it, {command} {rate} --fork starts a "
        f"run from its weights with other options ({_REMEDIES})"
    )


def _run_dir(module: "StyleTraining") -> Path:
    trainer: Any = module.trainer
    return Path(trainer.default_root_dir)
