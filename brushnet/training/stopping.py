"""Stopping on request: Ctrl-C and SIGTERM save first."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class StopOnSignal(pl.Callback):
    """The first signal ends the training after the step in hand, which is then saved; a second one ends it at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, the signals are ours."""
        try:
            before = {number: signal.signal(number, self._receive) for number in self.SIGNALS}
        except ValueError:  # not in the main thread: nobody can send us signals there
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Again: at the start of fit Lightning puts its own handler for SIGTERM before ours, which exits with code 0.
        if signal.getsignal(signal.SIGINT) == self._receive:
            signal.signal(signal.SIGTERM, self._receive)

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        # Not at the end of a step: Lightning would validate before it stops, which an unbroken run does not do there.
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            self.received = self.received or signal.SIGTERM  # told by another rank
            trainer.should_stop = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
        log.warning("%s received: saving after this step; again to stop at once", signal.Signals(number).name)
