"""Steps that a GPU repeats without the host: recorded once, forwards and backwards, then replayed (CUDA graphs).

A step launches two thousand kernels, which takes the host longer than an H200 takes to compute them. What is launched
depends on the stroke scale only by the size of the trunk and by the levels at which content is compared: there is a
recording for each of these, which all share their memory.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from brushnet.devices import sent
from brushnet.nets.transformer import STRIDE
from brushnet.training.objective import ContentPlan, content_plan
from brushnet.training.step import Computed, Drawn, nan_unless_finite

if TYPE_CHECKING:
    from brushnet.training.module import StyleTraining

log = logging.getLogger(__name__)

Key = tuple[Any, ...]


@dataclass
class Inputs:
    """Of a recording, on the GPU: each step's are copied into them."""

    photo: Tensor  # (B, 3, H, W) uint8
    log2_stroke: Tensor  # (B,)
    told: Tensor  # (B, 1, 1, 1)
    style: Tensor  # (B,)


@dataclass
class Recording:
    graph: Any
    inputs: Inputs
    computed: Computed


def why_not(module: "StyleTraining") -> str | None:
    """What keeps steps on a CUDA device from being recorded."""
    trainer: Any = module.trainer
    if module.target != "bank":
        return f"style.target={module.target}"
    return f"trainer.devices={trainer.world_size}" if trainer.world_size > 1 else None


def say_why(cause: str) -> None:
    log.info("steps of this training are not recorded, which is slower: %s", cause)


class RecordedSteps:
    """Steps of `module`, each recorded when its kind comes first; weights are moved by whoever calls.

    Where recording fails, a warning says why, and steps are taken as ever.
    """

    def __init__(self, module: "StyleTraining"):
        self.module, self.on = module, True
        self.recordings: dict[Key, Recording] = {}
        self.pool: Any = None
        self.aside: Any = None  # one stream: memory that was used on another is not used again
        self.trained = [parameter for parameter in module.net.parameters() if parameter.requires_grad]
        self.gradients: list[Tensor] = []

    def step(self, batch: dict[str, Tensor]) -> Computed | None:
        """None where this step is not to be replayed. Gradients, clipped, are left in the parameters."""
        if not self.on:
            return None
        module = self.module
        indices_B = batch["index"].cpu()
        log2_stroke_B, style_B = module.stroke.sample(module.seed, indices_B), module.draw_styles(indices_B)
        told_B111 = module.stroke.told(log2_stroke_B)
        if module.net.trunk == "scaled" and (told_B111 != told_B111[0]).any():
            self.on = False
            say_why("photos of a step have several stroke scales (stroke.group is not trainer.batch_size)")
            return None
        photo = batch["photo"]
        plan = content_plan(photo.shape, module.spec, log2_stroke_B)
        size = [-(-side // STRIDE) for side in photo.shape[-2:]]
        key = (*photo.shape, module.net.trunk_size(size, float(told_B111[0])), plan)
        device = photo.device
        given = Inputs(photo, *(sent(each, device) for each in (log2_stroke_B, told_B111, style_B)))
        found = self.recordings.get(key) or self._record(key, given, told_B111, plan)
        return None if found is None else self._replay(found, given)

    def _replay(self, found: Recording, given: Inputs) -> Computed:
        for name, value in vars(given).items():
            getattr(found.inputs, name).copy_(value)
        found.graph.replay()
        for parameter, gradient in zip(self.trained, self.gradients, strict=True):
            parameter.grad = gradient
        return found.computed

    def _record(self, key: Key, given: Inputs, told_B111: Tensor, plan: ContentPlan) -> Recording | None:
        inputs = Inputs(**{name: value.clone() for name, value in vars(given).items()})
        if not self.gradients:
            self.gradients = [torch.zeros_like(parameter) for parameter in self.trained]
            self.pool, self.aside = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
        try:
            graph, computed = self._captured(inputs, told_B111, plan)
        except Exception as error:  # whatever it was: the step as ever tells of errors of its own
            self.on = False
            self.recordings.clear()
            torch.cuda.current_stream().wait_stream(self.aside)
            torch.clear_autocast_cache()  # of weights that were cast in the recording only
            cause = " ".join(str(error).split())
            log.warning(
                "steps cannot be recorded here, going on without, slower: %s: %.200s", type(error).__name__, cause
            )
            return None
        found = self.recordings[key] = Recording(graph, inputs, computed)
        return found

    def _captured(self, inputs: Inputs, told_B111: Tensor, plan: ContentPlan) -> tuple[Any, Computed]:
        here, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
        self.aside.wait_stream(here)
        with torch.cuda.stream(self.aside):
            self.compute(inputs, told_B111, plan)  # once before: kernels are loaded when they are first needed
            torch.clear_autocast_cache()  # or the recording would read weights in bfloat16 as they are now
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")  # loading photos goes on meanwhile
            try:
                computed = self.compute(inputs, told_B111, plan)
            finally:
                graph.capture_end()
            torch.clear_autocast_cache()
        here.wait_stream(self.aside)
        return graph, computed

    def compute(self, inputs: Inputs, told_B111: Tensor, plan: ContentPlan) -> Computed:
        """A step up to its clipped gradients, without anything that the host waits for. `told` as well on the CPU."""
        module, net = self.module, self.module.net
        assert module.bank is not None
        targets = module.bank.target(inputs.log2_stroke, inputs.style)
        drawn = Drawn(module.as_float(inputs.photo), inputs.log2_stroke, inputs.style, targets, plan)
        places_K = torch.arange(net.styles, device=drawn.photo.device)
        weights_BK = (places_K == module.first_style + inputs.style[:, None]).to(drawn.photo.dtype)
        affines = net.affines(inputs.told, weights_BK, drawn.photo.device, most=1)
        painting, _ = net.paint_with_affines(drawn.photo, told_B111, weights_BK, affines)
        means, loss = module.mean_terms(painting, drawn)
        gradients = torch.autograd.grad(nan_unless_finite(loss), self.trained, materialize_grads=True)
        norm = nn.utils.get_total_norm(gradients)
        if module.gradient_clip:
            torch._foreach_mul_(gradients, (module.gradient_clip / (norm + 1e-6)).clamp(max=1.0))
        torch._foreach_copy_(self.gradients, gradients)
        return Computed({name: value.detach() for name, value in means.items()}, loss.detach(), norm)
