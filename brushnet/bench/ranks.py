"""Training on several processes of one thread each: images a second beside one such process, and what they exchange."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch.distributed import GradBucket
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from brushnet.bench.bare_run import ENDLESS, run_bare
from brushnet.bench.clock import Clock
from brushnet.data.module import PhotoData
from brushnet.errors import BrushnetError
from brushnet.training.module import StyleTraining
from brushnet.training.run import RunOptions

WARM_UP_STEPS = 3
LEAST_STEPS = 2
COMPUTED_FOR = (2, 4, 8)  # processes


@dataclass(frozen=True)
class Block:
    """What one process saw of a training on `processes`: `images` are those of all, `cpu_seconds` its own.

    `gradient_bytes` are those of DDP's buckets in a step, which every process gives and gets; none with one process.
    """

    processes: int
    steps: int
    seconds: float
    cpu_seconds: float
    images: int
    gradient_bytes: float


def measure_block(
    module: StyleTraining,
    data: PhotoData,
    options: RunOptions,
    clock: Clock,
    *,
    steps: int | None = None,
    seconds: float = 0.0,
) -> Block:
    """A run of `steps` after the first few, or, which only a single process can, of `seconds`."""
    counting = Counting(clock, steps=steps, seconds=seconds)
    run_bare(module, data, options, max_steps=ENDLESS, callbacks=[counting])
    if counting.block is None:
        raise BrushnetError("the training ended before it was measured")
    return counting.block


class Counting(pl.Callback):
    """Times the steps after the warm-up, and adds up what DDP has to exchange in them."""

    def __init__(self, clock: Clock, *, steps: int | None, seconds: float):
        self.clock, self.steps, self.seconds = clock, steps, seconds
        self.block: Block | None = None
        self.exchanged = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.done = 0
        if isinstance(trainer.strategy.model, DistributedDataParallel):
            trainer.strategy.model.register_comm_hook(None, self._exchange)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        self.done += 1
        if self.done == WARM_UP_STEPS:
            self.begun, self.cpu_begun, self.exchanged = self.clock(), time.process_time(), 0
        elif self.done > WARM_UP_STEPS and self._is_over(self.done - WARM_UP_STEPS):
            self.block = self._block(trainer, self.done - WARM_UP_STEPS)
            trainer.should_stop = True

    def _is_over(self, steps: int) -> bool:
        if self.steps is not None:  # the same on all processes
            return steps == self.steps
        return steps >= LEAST_STEPS and self.clock.now() - self.begun >= self.seconds

    def _block(self, trainer: pl.Trainer, steps: int) -> Block:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        return Block(
            processes=trainer.world_size,
            steps=steps,
            seconds=self.clock() - self.begun,
            cpu_seconds=time.process_time() - self.cpu_begun,
            images=steps * data.batch_size * trainer.world_size,
            gradient_bytes=self.exchanged / steps,
        )

    def _exchange(self, state: None, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        self.exchanged += bucket.buffer().nbytes
        return allreduce_hook(state, bucket)  # type: ignore[arg-type]  # None: the group of all


def measure_ranks(run: Callable[[int, int | None], Block], *, processes: int, rounds: int) -> dict[str, Any]:
    """`run(processes, steps)` is one training: one process, then `processes`, then one again ..., by as many steps."""
    blocks = [run(1, None)]
    steps = blocks[0].steps
    for turn in range(2 * rounds - 1):
        blocks.append(run(1 if turn % 2 else processes, steps))
    return efficiency(blocks)


def efficiency(blocks: Sequence[Block]) -> dict[str, Any]:
    """Medians over blocks of one process and of several, and what that makes of each process."""
    count = max(block.processes for block in blocks)
    of = {number: [block for block in blocks if block.processes == number] for number in (1, count)}
    rates = {number: statistics.median(each.images / each.seconds for each in found) for number, found in of.items()}
    exchanged = statistics.median(block.gradient_bytes for block in of[count])
    return {
        "processes": count,
        "images_s": {str(number): rate for number, rate in rates.items()},
        "efficiency": rates[count] / (count * rates[1]),
        "cpu_ms_per_image": {str(number): _cpu_ms(found) for number, found in of.items()},
        "gradient_bytes_per_step": round(exchanged),
        "gradient_bytes_from": "DDP's buckets",
        "sent_bytes_per_step": {str(number): round(ring_bytes(exchanged, number)) for number in COMPUTED_FOR},
        "blocks": [asdict(block) for block in blocks],
    }


def _cpu_ms(blocks: Sequence[Block]) -> float:
    """Of all processes, as each does the same: what a busy machine does not change."""
    return 1000 * statistics.median(block.cpu_seconds * block.processes / block.images for block in blocks)


def ring_bytes(gradient_bytes: float, processes: int) -> float:
    """What each process sends in a step where the sum goes round in a ring, as NCCL and gloo do it."""
    return 2 * gradient_bytes * (processes - 1) / processes


def environment(rank: int, port: int, inherited: Mapping[str, str]) -> dict[str, str]:
    """Of one process, as torchrun would set it: a single thread, and nothing that another launcher has said."""
    kept = {key: value for key, value in inherited.items() if not key.startswith(("SLURM_", "TORCHELASTIC_"))}
    own = {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {**kept, **own, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
