"""torch.compile of a step: announced, timed, and done without where it fails."""

import logging
import time
from typing import TYPE_CHECKING, Any

import torch

from brushnet.nets import ResidualTransformer
from brushnet.training.objective import observe

if TYPE_CHECKING:
    from brushnet.training.module import StyleTraining

log = logging.getLogger(__name__)


def compile_step(module: "StyleTraining", *, batch_size: int) -> None:
    """Compiles the network of `module` and what the loss sees of its paintings, with all that a step takes of them.

    The first steps then cost what others do. Where that fails (no C++ compiler, say) a warning tells why, and all stays
    as it was. No weight, gradient or draw is changed.
    """
    net, started = module.net, time.perf_counter()
    log.info("trainer.compile: compiling a step, which can take a minute or two")
    before = set(vars(net))
    try:
        net.compile()  # in place: keys stay clean
        module.observe = torch.compile(observe)
        graphs = _try(module, batch_size)
    except Exception as error:  # whatever it was: an error of the network itself comes again without the compiler
        _undo(net, before)
        module.observe = observe
        cause = " ".join(str(error).split())
        log.warning(
            "trainer.compile: the step cannot be compiled here, going on without: %s: %.200s",
            type(error).__name__,
            cause,
        )
        return
    log.info("trainer.compile: %d graphs compiled in %.0f s", graphs, time.perf_counter() - started)


def _try(module: "StyleTraining", batch_size: int) -> int:
    """Steps at the ends of the stroke range and between: after two sizes the third is compiled for any."""
    from torch._dynamo.utils import counters

    before = counters["stats"]["unique_graphs"]
    trainer: Any = module.trainer
    grey = torch.full((batch_size, 3, module.crop_px, module.crop_px), 0.5, device=module.device)
    photo = grey.contiguous(memory_format=module.memory_format)
    style = torch.zeros(batch_size, dtype=torch.long)
    trained = [parameter for parameter in module.net.parameters() if parameter.requires_grad]
    low, high = module.stroke.octaves
    for octaves in (low, high, (low + high) / 2):
        with trainer.precision_plugin.forward_context():
            loss = module.loss_at(photo, torch.full((batch_size,), octaves), style)
        torch.autograd.grad(loss, trained, allow_unused=True)  # writes no gradient
    torch.clear_autocast_cache()
    return counters["stats"]["unique_graphs"] - before


def _undo(net: ResidualTransformer, before: set[str]) -> None:
    """Compiled parts are attributes of the instance, over the methods of the class."""
    for name in set(vars(net)) - before:
        delattr(net, name)
