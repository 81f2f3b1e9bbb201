"""Signals to a training, in this process and in real ones: what is saved, what is said, the exit code, who is left."""

import os
import signal
import time

import pytest

import brushnet
from brushnet import stop_signals
from brushnet.errors import Stopped
from brushnet.training import callbacks
from brushnet.training.module import StyleTraining
from brushnet.training.stopping import NO_SIGNAL, StopOnSignal
from tests.training.test_run import signal_at_step

QUICK = ("SIGINT", "SIGTERM", "SIGUSR1")
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in stop_signals.NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_saves_and_says_how_to_go_on(train, monkeypatch, tmp_path, caplog, name):
    number = signal.Signals[name]
    before = signal.getsignal(number)
    signal_at_step(monkeypatch, 5, number)
    with pytest.raises(Stopped, match=r"stopped at step 5 of 12; continue with: brushnet train resume=.*run$"):
        train()
    assert f"{name} received: saving after this step; again to stop at once" in caplog.text
    assert brushnet.load(tmp_path / "run").meta.training["steps"] == 5
    assert signal.getsignal(number) == before


def send_at_step(monkeypatch, step: int, *numbers: int, pause: float) -> None:
    """Sends these signals to this process in a step that lasts until the training is over."""
    original = callbacks.StreamPosition.on_train_batch_end

    def send(self, trainer, module, *args):
        original(self, trainer, module, *args)
        if trainer.global_step == step:
            for number in numbers:
                os.kill(os.getpid(), number)
                time.sleep(pause)

    monkeypatch.setattr(callbacks.StreamPosition, "on_train_batch_end", send)


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGUSR1", "SIGTERM")])
def test_a_second_signal_ends_the_run_at_once(train, monkeypatch, tmp_path, first, second):
    send_at_step(monkeypatch, 5, signal.Signals[first], signal.Signals[second], pause=0.5)
    with pytest.raises(Stopped, match=r"stopped at once; what was saved before is in .*run"):
        train()
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()  # of step 4


def test_one_request_that_arrives_twice_is_one(train, monkeypatch):
    send_at_step(monkeypatch, 5, signal.SIGINT, signal.SIGTERM, pause=0.0)
    with pytest.raises(Stopped, match=r"stopped at step 5 of 12"):
        train()


def test_a_signal_after_another_process_was_asked_is_the_first_one_here(train, monkeypatch):
    decide = StopOnSignal.on_train_batch_start

    def as_told_by_another(self, trainer, *args):
        if trainer.global_step == 5:
            monkeypatch.setattr(trainer.strategy, "reduce_boolean_decision", lambda *args, **kwargs: True)
        decide(self, trainer, *args)
        if trainer.global_step == 5:
            monkeypatch.undo()
            assert self.received == NO_SIGNAL
            os.kill(os.getpid(), signal.SIGTERM)  # by a launcher, which asks one after the other
            time.sleep(0.3)

    monkeypatch.setattr(StopOnSignal, "on_train_batch_start", as_told_by_another)
    with pytest.raises(Stopped, match=r"stopped at step 5 of 12"):
        train()


def test_a_warning_that_is_repeated_does_not_cut_the_saving_short(train, monkeypatch):
    send_at_step(monkeypatch, 5, signal.SIGXCPU, signal.SIGXCPU, signal.SIGHUP, pause=0.3)
    with pytest.raises(Stopped, match=r"stopped at step 5 of 12"):
        train()


def test_what_is_ignored_stays_ignored(train, monkeypatch, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signal_at_step(monkeypatch, 5, signal.SIGHUP)
        train()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert brushnet.load(tmp_path / "run").meta.training["steps"] == 12


def test_an_interrupt_counts_though_a_script_s_shell_has_it_ignored_in_the_background(train, monkeypatch, tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signal_at_step(monkeypatch, 5, signal.SIGINT)
        with pytest.raises(Stopped, match=r"stopped at step 5 of 12"):
            train()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "run" / "samples").exists()  # an unbroken run has no grid of step 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_first_step_leaves_at_once(train, monkeypatch, tmp_path, number):
    original = StyleTraining.on_fit_start

    def send(self):
        os.kill(os.getpid(), number)
        time.sleep(30)
        original(self)

    monkeypatch.setattr(StyleTraining, "on_fit_start", send)
    began = time.monotonic()
    message = rf"{number.name} received before the first step; continue with: brushnet train resume=.*run$"
    with pytest.raises(Stopped, match=message):
        train()
    assert time.monotonic() - began < 20
    assert not (tmp_path / "run" / "model.safetensors").exists()
