"""Where the time of a training step goes, seen from outside: by what Lightning tells a profiler of its hooks."""

from collections.abc import Callable
from typing import Any

from pytorch_lightning.profilers import Profiler

from brushnet.bench.clock import Clock

PARTS = ("data", "network", "loss_network", "backward", "optimiser", "rest")


class StepParts(Profiler):
    """Seconds of each of PARTS over the steps since `start_over()`, where `on` is true; else it costs nothing.

    `data` is the wait for a batch and its way to the device, `network` the forward pass, `loss_network` the losses and
    the networks behind them, `optimiser` all from the end of the backward pass to that of the step (clipping, Adam,
    averaging, logging), `rest` what is left: targets, callbacks, Lightning. `waited` are the host's seconds for `data`
    while `on` is false: a device that still has work to do waits for less.
    """

    def __init__(self, clock: Clock):
        super().__init__()
        self.clock, self.on = clock, False
        self.start_over()

    def start_over(self) -> None:
        self.seconds = dict.fromkeys(PARTS[:-1], 0.0)
        self._marks: dict[str, float] = {}
        self.waited = 0.0

    def start(self, action_name: str) -> None:
        if not self.on:
            if _is_data(action_name):
                self.waited -= self.clock.now()
            return
        if _is_data(action_name):
            self._marks["data"] = self.clock()
        elif action_name.endswith(".on_before_backward") and action_name.startswith("[LightningModule]"):
            self._marks["backward"] = now = self.clock()
            self._add("loss_network", now, since="painted")

    def stop(self, action_name: str) -> None:
        if not self.on:
            if _is_data(action_name):
                self.waited += self.clock.now()
            return
        if _is_data(action_name):
            self._add("data", self.clock(), since="data")
        elif action_name.endswith(".on_after_backward") and action_name.startswith("[LightningModule]"):
            self._marks["optimiser"] = now = self.clock()
            self._add("backward", now, since="backward")
        elif action_name.endswith(".training_step") and action_name.startswith("[Strategy]"):
            self._add("optimiser", self.clock(), since="optimiser")

    def painting(self, paint: Callable[..., Any]) -> Callable[..., Any]:
        """`paint` with its time taken."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if not self.on:
                return paint(*args, **kwargs)
            self._marks["network"] = self.clock()
            painted = paint(*args, **kwargs)
            self._marks["painted"] = now = self.clock()
            self._add("network", now, since="network")
            return painted

        return timed

    def per_step(self, steps: int, seconds: float) -> dict[str, float]:
        """Seconds of each of PARTS in a step of a block of `steps` that took `seconds` in all; they sum to a step."""
        known = {name: value / steps for name, value in self.seconds.items()}
        return {**known, "rest": seconds / steps - sum(known.values())}

    def _add(self, part: str, now: float, *, since: str) -> None:
        if since in self._marks:  # not where a step is taken otherwise, as one graph: then it is all in the rest
            self.seconds[part] += now - self._marks.pop(since)


def _is_data(action: str) -> bool:
    return action.endswith((".train_dataloader_next", ".batch_to_device"))
