"""Steps that the host does not wait for, on a CPU: where nothing can be read, and against those that are waited for."""

import re

import pytest
import torch

import brushnet
from brushnet.training import faults
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining

QUICK = ["trainer.max_steps=6", "trainer.validate_every_steps=100", "trainer.sample_every_steps=100"]


@pytest.fixture
def ahead(monkeypatch):
    monkeypatch.setattr(StyleTraining, "_runs_ahead", lambda self: self._trainer is not None)


def rows(run):
    return list(MetricsCsv(run / "metrics.csv").rows())


def val_loss(run):
    return float([row["val/loss"] for row in rows(run) if row["val/loss"]][-1])


def weights(run):
    return brushnet.load(run).net.state_dict()


def test_they_train_the_same_and_are_looked_at_when_a_row_is_due(train, ahead, monkeypatch):
    looks = []
    monkeypatch.setattr(StyleTraining, "note_step", lambda self, norm, step: looks.append((self.batches_done, step)))
    run = train(*QUICK, "trainer.log_every_steps=4", "trainer.checkpoint_every_steps=100")
    assert looks == [(3, 1), (3, 2), (3, 3), (3, 4), (6, 5), (6, 6)]
    monkeypatch.undo()
    waited_for = train(*QUICK, "trainer.log_every_steps=4", out="waited for")
    found, expected = ([row for row in rows(each) if row["train/loss"]] for each in (run, waited_for))
    assert len(found) == len(expected) == 1
    assert float(found[0]["train/loss"]) == pytest.approx(float(expected[0]["train/loss"]), rel=1e-3)
    assert val_loss(run) == pytest.approx(val_loss(waited_for), rel=1e-3)


def test_they_are_looked_at_before_their_batches_fill_the_memory(train, ahead, monkeypatch):
    looks = []
    monkeypatch.setattr("brushnet.training.ahead.MOST_WAITING", 2)
    monkeypatch.setattr(StyleTraining, "note_step", lambda self, norm, step: looks.append((self.batches_done, step)))
    train("trainer.max_steps=4", "trainer.log_every_steps=1000", "trainer.checkpoint_every_steps=100")
    assert looks == [(1, 1), (1, 2), (3, 3), (3, 4)]


def test_a_step_that_is_not_finite_changes_neither_weights_nor_adam_nor_average(train, ahead, monkeypatch, caplog):
    original, terms = StyleTraining.training_step, StyleTraining.terms
    diagnose, moved, told = faults.diagnose, [], []

    def spoilt(self, painting, drawn):
        found = terms(self, painting, drawn)
        return found | ({"edge": painting.mean(dim=(1, 2, 3)) / 0} if self.batches_done in (0, 3) else {})

    def diagnosed(module, batch, *, step):
        told.append(step)
        return diagnose(module, batch, step=step)

    def state(module):
        adam = module.optimizers(use_pl_optimizer=False).state
        of_adam = [value for each in adam.values() for value in each.values()]
        return [value.clone() for value in [*module.state_dict().values(), *of_adam]]

    def step(self, *args):
        before = state(self)
        original(self, *args)
        moved.append(not all(map(torch.equal, before, state(self))))

    monkeypatch.setattr(StyleTraining, "training_step", step)
    monkeypatch.setattr(StyleTraining, "terms", spoilt)
    monkeypatch.setattr(faults, "diagnose", diagnosed)
    run = train(*QUICK, "trainer.log_every_steps=4")
    assert moved == [False, True, True, False, True, True]
    assert brushnet.load(run).meta.training["skipped_steps"] == 2
    assert re.search(r"step skipped: loss inf, .* \(2 skipped so far, 1 in a row\); it began in loss edge", caplog.text)
    assert told == [1, 4]


def test_they_resume_to_the_bit(train, ahead):
    whole = train()
    again = train(out="again", resume_from=next((whole / "checkpoints").glob("step_*8.ckpt")))
    assert all(map(torch.equal, weights(whole).values(), weights(again).values()))


@pytest.mark.parametrize("net", ["net.trunk=plain", "net.trunk=scaled", "net.ends=patch"])
def test_a_step_reads_nothing_from_the_device(module_on_meta, net):
    """On the meta device there is nothing to be read: to ask for a value is an error."""
    module, meta = module_on_meta("stroke.group=2", net, "stroke.min=0.4"), torch.device("meta")
    drawn = module.draw({"photo": torch.zeros(2, 3, 32, 32, dtype=torch.uint8, device=meta), "index": torch.arange(2)})
    painting = module.paint(drawn.photo, drawn.log2_stroke, drawn.style, net=module.net)
    torch.stack([term.mean() for term in module.terms(painting, drawn).values()]).sum().backward()
    norm = torch.nn.utils.clip_grad_norm_(module.net.parameters(), 1.0)
    module.ema.update_where(norm.isfinite(), module.net)
    assert norm.device == meta
    with pytest.raises(RuntimeError, match="meta"):
        float(norm)
