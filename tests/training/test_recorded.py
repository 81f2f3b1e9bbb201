"""recorded.py: what a recording is to compute, on a CPU and on the meta device, and which steps are replayed."""

import logging
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch

import brushnet
from brushnet import images
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining
from brushnet.training.objective import content_plan
from brushnet.training.recorded import Inputs, RecordedSteps

ONE_SCALE = ["trainer.batch_size=2", "stroke.group=2"]
FIXED = ["stroke.mode=fixed", "stroke.min=1", "stroke.max=1"]
QUICK = [*ONE_SCALE, "trainer.max_steps=8", "trainer.validate_every_steps=100", "trainer.sample_every_steps=100"]


class Repeated:
    """In place of a CUDA graph: computes again what was given, into what was computed at first."""

    def __init__(self, compute, computed):
        self.compute, self.computed = compute, computed

    def replay(self):
        found = self.compute()
        for old, new in zip(_values(self.computed), _values(found), strict=True):
            old.copy_(new)


def _values(computed):
    return [*computed.means.values(), computed.loss, computed.norm]


@pytest.fixture
def recordings(monkeypatch):
    """Of steps on a CPU, by key: how often each was replayed is not seen by the training."""
    made = []

    def captured(self, inputs, told, plan):
        made.append(plan)
        computed = self.compute(inputs, told, plan)
        return Repeated(lambda: self.compute(inputs, told, plan), computed), computed

    monkeypatch.setattr(StyleTraining, "_recorded_steps", lambda self: RecordedSteps(self))
    monkeypatch.setattr(RecordedSteps, "_captured", captured)
    for name in ("graph_pool_handle", "Stream"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", MagicMock)
    return made


def losses(run):
    return [float(row["train/loss"]) for row in MetricsCsv(run / "metrics.csv").rows() if row["train/loss"]]


@pytest.mark.parametrize("paintings", [1, 2])
@pytest.mark.parametrize("stroke", [FIXED, ["stroke.min=0.9", "stroke.max=1.1"], ["stroke.mode=mixed"]])
def test_recorded_steps_train_the_same(train, recordings, painting_file, tmp_path, stroke, paintings):
    blocks = torch.rand(1, 3, 12, 15, generator=torch.Generator().manual_seed(5))
    images.write(images.resize(blocks, 144, 180), tmp_path / "blocks.png")
    stroke = [*stroke, f"style.files={[str(painting_file), str(tmp_path / 'blocks.png')][:paintings]}"]
    recorded = train(*QUICK, *stroke, "trainer.log_every_steps=1")
    assert recordings
    with pytest.MonkeyPatch.context() as plainly:
        plainly.setattr(StyleTraining, "_recorded_steps", lambda self: None)
        plain = train(*QUICK, *stroke, "trainer.log_every_steps=1", out="plain")
    assert losses(recorded) == pytest.approx(losses(plain), rel=1e-4)
    found, wanted = (brushnet.load(run).meta.training["losses"]["val/loss"] for run in (recorded, plain))
    assert found == pytest.approx(wanted, rel=1e-4)


def test_each_size_of_the_trunk_has_a_recording_of_its_own(train, recordings, monkeypatch):
    monkeypatch.setattr(
        "brushnet.strokes.StrokeRange.sample",
        lambda self, seed, indices_B: torch.where(indices_B // 2 % 2 == 0, -1.0, 0.0),
    )
    train(*QUICK)
    assert len(recordings) == 2


def test_photos_of_different_scales_are_trained_as_ever(train, recordings, caplog):
    with caplog.at_level(logging.INFO):
        train(*QUICK, "stroke.group=1", "trainer.max_steps=4")
    assert not recordings
    cause = "photos of a step have several stroke scales (stroke.group is not trainer.batch_size)"
    assert caplog.text.count(f"steps of this training are not recorded, which is slower: {cause}\n") == 1


@pytest.mark.parametrize(
    ("target", "processes", "cause"),
    [("crop", 1, "style.target=crop"), ("bank", 2, "trainer.devices=2"), ("bank", 1, None)],
)
def test_on_a_gpu_it_is_said_why_steps_are_not_recorded(target, processes, cause, caplog):
    module = SimpleNamespace(net=SimpleNamespace(parameters=list), target=target)
    module.trainer, module.device = SimpleNamespace(world_size=processes), torch.device("cuda")
    with caplog.at_level(logging.INFO):
        found = StyleTraining._recorded_steps(module)
    said = f"steps of this training are not recorded, which is slower: {cause}\n"
    assert (found is None, said in caplog.text) == (cause is not None, cause is not None)


def test_they_are_gone_after_the_training(train, recordings, monkeypatch):
    ended = []
    original = StyleTraining.on_fit_end
    monkeypatch.setattr(StyleTraining, "on_fit_end", lambda self: (original(self), ended.append(self)))
    train(*QUICK, *FIXED)
    assert recordings
    assert [module.recorded for module in ended] == [None]
    assert all(parameter.grad is None for parameter in ended[0].net.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_gpu_replays_what_it_trains_otherwise(train, precision):
    options = [*QUICK, "trainer.accelerator=gpu", f"trainer.precision={precision}", "trainer.log_every_steps=1"]
    recorded = train(*options)
    with pytest.MonkeyPatch.context() as plainly:
        plainly.setattr(StyleTraining, "_recorded_steps", lambda self: None)
        plain = train(*options, out="plain")
    assert losses(recorded) == pytest.approx(losses(plain), rel=0.05)


def test_what_cannot_be_recorded_is_trained_as_ever(train, recordings, monkeypatch, caplog):
    def no_capture(self, *args):
        raise RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing")

    cleared = []
    monkeypatch.setattr(RecordedSteps, "_captured", no_capture)
    monkeypatch.setattr(torch, "clear_autocast_cache", lambda: cleared.append(True))
    run = train(*QUICK, *FIXED)
    said = "RuntimeError: CUDA error: operation not permitted when stream is capturing"
    assert caplog.text.count(f"steps cannot be recorded here, going on without, slower: {said}\n") == 1
    assert cleared
    assert brushnet.load(run).meta.training["steps"] == 8


@pytest.mark.parametrize("paintings", [1, 2])
@pytest.mark.parametrize("net", ["net.trunk=plain", "net.trunk=scaled", "net.ends=patch"])
def test_a_recording_reads_nothing_from_the_device(module_on_meta, painting_file, net, paintings, monkeypatch):
    """On the meta device there is nothing to be read: to ask for a value, or for the host's, is an error."""
    twice = [f"style.files={[str(painting_file)] * paintings}"]
    module, meta = module_on_meta(*ONE_SCALE, net, "stroke.min=0.4", *twice), torch.device("meta")
    steps = RecordedSteps(module)
    steps.gradients = [torch.zeros_like(parameter) for parameter in steps.trained]
    log2_stroke, told = torch.full((2,), 0.3), torch.full((2, 1, 1, 1), 0.3)
    photo = torch.zeros(2, 3, 32, 32, dtype=torch.uint8, device=meta)
    inputs = Inputs(photo, log2_stroke.to(meta), told.to(meta), torch.zeros(2, dtype=torch.long, device=meta))
    monkeypatch.setattr("brushnet.devices.sent", None)
    for room in ("nets.condition", "nets.transformer", "training.objective", "training.spectrum", "training.targets"):
        monkeypatch.setattr(f"brushnet.{room}.sent", _on_the_device_already)
    found = steps.compute(inputs, told, content_plan(photo.shape, module.spec, log2_stroke))
    assert found.norm.device == meta


def _on_the_device_already(values, device):
    assert values.device.type == device.type, "a recording would hold the host's values of when it was made"
    return values
