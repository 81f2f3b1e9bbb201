import os
import re
import subprocess
import sys
import textwrap

import pytest
import torch

import brushnet
from brushnet import cli
from brushnet.errors import BrushnetError
from brushnet.training.faults import Fault
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining
from brushnet.training.trail import Figures

QUICK = ["trainer.max_steps=6", "trainer.validate_every_steps=100", "trainer.sample_every_steps=100"]
NAN, INF = float("nan"), float("inf")


def in_batches(monkeypatch, acts) -> None:
    """acts[batch](module) before the step of that batch; what it did to weights and targets is undone after it."""
    original = StyleTraining.training_step

    def step(self, batch, index):
        act = acts.get(self.batches_done)
        spoilt = [*self.net.parameters(), *self.lossnet.convs.parameters(), self.bank.rows[1, "relu2_1"].mean]
        before = [value.detach().clone() for value in spoilt]
        with torch.no_grad():
            if act:
                act(self)
        original(self, batch, index)
        with torch.no_grad():
            for value, good in zip(spoilt, before, strict=True) if act else ():
                value.copy_(good)

    monkeypatch.setattr(StyleTraining, "training_step", step)


def from_batch(monkeypatch, batch: int, act) -> None:
    """act(module) before the step of this batch; that stays."""
    original = StyleTraining.training_step

    @torch.no_grad()
    def spoil(self):
        act(self)

    def step(self, *args):
        if self.batches_done == batch:
            spoil(self)
        original(self, *args)

    monkeypatch.setattr(StyleTraining, "training_step", step)


def add_term(monkeypatch, batches) -> None:
    """In the loss of these batches that of the last sample is infinite."""
    original = StyleTraining.terms

    def terms(self, painting, drawn):
        means = painting.mean(dim=(1, 2, 3))
        more = {"edge": torch.cat([means[:-1], means[-1:] / 0])} if self.batches_done in batches else {}
        return original(self, painting, drawn) | more

    monkeypatch.setattr(StyleTraining, "terms", terms)


def spoil_weight(module):
    module.net.residual[1].weight[0, 0, 0, 0] = NAN


def test_the_tensor_where_it_began_is_named(train, monkeypatch, caplog):
    cases = {
        "weight net.residual.1.weight of shape (16, 16, 3, 3): 1 of 2304 values are not finite (1 NaN, 0 inf), ":
            spoil_weight,
        "weight lossnet.relu2_1.bias of shape (8,): 1 of 8 values are not finite (0 NaN, 1 inf), ":
            lambda module: module.lossnet.convs[1].bias[2].fill_(INF),
        "target mean of relu2_1 at pyramid level 1 of shape (2, 8): 16 of 16 values are not finite (16 NaN, 0 inf), ":
            lambda module: module.bank.rows[1, "relu2_1"].mean.fill_(NAN),
        "net.sharpen.0 of shape (2, 16, 8, 8): ": lambda module: module.net.sharpen[0].weight.mul_(1e38).mul_(30),
        "input of net.down.1 of shape (2, 4, 32, 32): ": lambda module: module.net.condition.affine.bias.fill_(3e38),
        "lossnet.relu2_1 of shape (2, 8, 16, 16): ": lambda module: module.lossnet.convs[1].weight.mul_(1e38),
    }  # fmt: skip
    in_batches(monkeypatch, {2 * number: act for number, act in enumerate(cases.values())})
    train(*QUICK, "net.ends=full")
    said = re.findall(
        r"step skipped: .* gradient norm nan \(. skipped so far, 1 in a row\); it began in (.*)", caplog.text
    )
    assert len(said) == len(cases)
    for line, beginning in zip(said, cases, strict=True):
        assert line.startswith(beginning)
    assert re.search(r"largest finite magnitude is 0\.\d+; sample 0 at s = 0\.\d+ of diagonal; sample 1 at", said[0])
    assert re.search(r"the largest finite magnitude is 3\.\d+e\+38; sample", said[-1])


def test_a_loss_that_is_not_finite_is_skipped_though_its_gradient_would_be(train, monkeypatch, caplog):
    original = StyleTraining.terms

    def terms(self, painting, drawn):
        constant = {"edge": torch.full_like(painting[:, 0, 0, 0].detach(), INF)} if self.batches_done == 2 else {}
        return original(self, painting, drawn) | constant

    monkeypatch.setattr(StyleTraining, "terms", terms)
    run = train(*QUICK)
    assert brushnet.load(run).meta.training["skipped_steps"] == 1
    assert "step skipped: loss inf, gradient norm nan" in caplog.text
    assert "it began in loss edge of shape (2,)" in caplog.text


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_fault_of_the_backward_pass_alone_is_named(train, monkeypatch, caplog, precision):
    """The slope of a root is infinite at 0, which the chain rule multiplies by 0."""
    original = StyleTraining.terms
    monkeypatch.setattr(
        StyleTraining,
        "terms",
        lambda self, painting, drawn: (
            original(self, painting, drawn)
            | ({"root": (0 * painting).sqrt().sum(dim=(1, 2, 3))} if self.batches_done == 3 else {})
        ),
    )
    train(*QUICK, f"trainer.precision={precision}")
    beginning = r"gradient of the painting of shape \(2, 3, 32, 32\): 6144 of 6144 values .* \(6144 NaN, 0 inf\)"
    assert re.search(r"step skipped: loss \d\.\d+, gradient norm nan .*it began in " + beginning, caplog.text)


def test_what_is_known_of_a_fault_that_stays_is_written_down(train, monkeypatch, tmp_path):
    from_batch(monkeypatch, 3, spoil_weight)
    with pytest.raises(BrushnetError, match=r"2 steps in a row had .*; it began in weight net\.residual\.1\.weight"):
        train(*QUICK, "trainer.max_bad_steps=2", "trainer.checkpoint_every_steps=100")
    text = (tmp_path / "run" / "faults.txt").read_text()
    assert text.startswith("Step 4: loss or gradient not finite; it began in weight net.residual.1.weight of shape")
    assert re.search(r"\nThe batch:\nsample 6 at s = 0\.\d+ of diagonal\nsample 7 at s = ", text)
    table = text[text.index("in the order in which they were computed") :]
    names = [line.split("  ")[0] for line in table.splitlines()[2:] if line]
    order = ["weight lossnet.relu1_1.weight", "photo", "target covariance of relu1_1 at pyramid level 0",
             "weight net.residual.1.weight", "net.condition.stroke", "net.down.0", "net.residual.1", "net.last",
             "painting", "lossnet.relu1_1", "loss content", "loss", "gradient of the painting", "gradient of net.last",
             "gradient of net.last.weight", "gradient of net.down.0.weight", "gradient norm"]  # fmt: skip
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    assert re.search(r"\nweight net\.residual\.1\.weight +1 +0 +0\.\d+  16x16x3x3\n", table)


def test_of_many_samples_the_line_names_a_few_and_the_report_all():
    samples = tuple(f"sample {index} at s = 1 of diagonal" for index in range(6))
    spoilt = Figures("painting", (6, 3, 32, 32), 10, 0, 0.5, samples=(0, 1, 2, 4, 5))
    fault = Fault(step=3, samples=samples, seen=(spoilt,), several_processes=False)
    assert fault.cause.endswith("sample 0 at s = 1 of diagonal; sample 1 at s = 1 of diagonal; sample 2 at s = 1 of "
                                "diagonal; sample 4 at s = 1 of diagonal; 1 more samples")  # fmt: skip
    assert all(sample in fault.report() for sample in samples)


def test_gradients_whose_norm_alone_is_too_large_are_told_so(train, caplog):
    with pytest.raises(
        BrushnetError, match=r"it began in gradient norm of shape \(\): 1 of 1 values .* \(0 NaN, 1 inf\)"
    ):
        train("loss.style_weight=1e30", "trainer.max_bad_steps=1", *QUICK)


def test_what_does_not_come_again_is_called_so(train, monkeypatch, caplog):
    original = StyleTraining.manual_backward
    monkeypatch.setattr(
        StyleTraining,
        "manual_backward",
        lambda self, loss: original(self, loss * (float("inf") if self.batches_done == 3 else 1)),
    )
    train(*QUICK)
    assert "computed again, every tensor is finite: the arithmetic is not deterministic, or the hardware" in caplog.text


def test_a_fault_that_cannot_be_looked_into_for_want_of_memory_is_skipped_too(train, monkeypatch, caplog):
    def no_room(*args):
        raise torch.OutOfMemoryError

    monkeypatch.setattr("brushnet.training.faults._add_pass", no_room)
    add_term(monkeypatch, {3})
    train(*QUICK)
    assert "1 in a row); there is not enough memory to compute it again and see where it began" in caplog.text


def test_each_row_of_bad_steps_is_looked_into_once_and_names_the_sample(train, monkeypatch, caplog):
    add_term(monkeypatch, {1, 2, 3, 6})
    run = train(*QUICK)
    assert len(re.findall("step skipped", caplog.text)) == 4
    one = r"loss edge of shape \(2,\): 1 of 2 values are not finite \(0 NaN, 1 inf\), .*; sample (\d+) at s = [^;]*\n"
    assert re.findall(r"(\d) in a row\); it began in " + one, caplog.text) == [("1", "3"), ("1", "13")]
    assert not (run / "faults.txt").exists()
    rows = [row for row in MetricsCsv(run / "metrics.csv").rows() if row["train/loss"]]
    assert len(rows) == 6  # of 10 batches
    assert float(rows[-1]["train/skipped_steps"]) == 4


def test_a_skipped_step_changes_nothing(train, monkeypatch):
    """Weights, averaged weights, optimiser, schedule and random state, to the bit."""
    add_term(monkeypatch, {3, 4})
    original = StyleTraining.training_step
    seen = {}

    def state(module):
        trainer = module.trainer
        parts = {**module.state_dict(), "random": torch.get_rng_state(), "step": torch.tensor(trainer.global_step)}
        for number, each in enumerate(trainer.optimizers[0].state.values()):
            parts |= {f"{number} {name}": value for name, value in each.items()}
        parts["schedule"] = torch.tensor(list(trainer.lr_scheduler_configs[0].scheduler._last_lr))
        return {name: value.clone() for name, value in parts.items()}

    def step(self, *args):
        before = state(self)
        original(self, *args)
        after = state(self)
        seen[self.batches_done - 1] = {
            name for name in after if name not in before or not after[name].equal(before[name])
        }

    monkeypatch.setattr(StyleTraining, "training_step", step)
    train(*QUICK)
    assert seen[3] == seen[4] == set()
    assert {"net.last.weight", "ema.module.last.weight", "0 exp_avg", "step", "schedule"} <= seen[5]


def test_a_run_that_is_resumed_counts_bad_steps_on(train, monkeypatch, caplog, tmp_path):
    add_term(monkeypatch, range(5, 100))
    with pytest.raises(BrushnetError, match="training stopped at step 5: 4 steps in a row"):
        train(*QUICK, "trainer.max_bad_steps=4", "trainer.checkpoint_every_steps=1")
    caplog.clear()
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(BrushnetError, match="training stopped at step 5: 4 steps in a row"):
        train(*QUICK, "trainer.max_bad_steps=4", "trainer.checkpoint_every_steps=1", resume_from=last)
    assert len(re.findall("step skipped", caplog.text)) == 1
    assert "(4 skipped so far, 4 in a row); it began in loss edge" in caplog.text


def test_the_command_fails_and_says_how_to_go_on_from_a_good_checkpoint(tiny, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    last, kept = run / "checkpoints" / "last.ckpt", []

    def spoil(module):
        kept.append(last.read_bytes())
        spoil_weight(module)

    with monkeypatch.context() as spoilt:
        from_batch(spoilt, 4, spoil)
        code = cli.main(["train", *tiny, "trainer.max_bad_steps=2", f"hydra.run.dir='{run}'"])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 1
    assert error.startswith("brushnet: error: training stopped at step 4: 2 steps in a row")
    assert (
        f"all of it is in {run}/faults.txt; the last good checkpoint is {last}: brushnet train resume={run} " in error
    )
    told = f"brushnet train resume={run} trainer.learning_rate=0.001 --fork"
    assert f"{told} starts a run from its weights" in error
    assert last.read_bytes() == kept[0]
    model = brushnet.load(last)
    assert model.meta.training["steps"] == 4
    assert model(torch.rand(1, 3, 40, 40), stroke=1.0).isfinite().all()
    assert cli.main([*told.split()[1:-1], f"hydra.run.dir='{tmp_path}/fork'", "trainer.max_steps=2", "--fork"]) == 0
    assert brushnet.load(tmp_path / "fork").meta.training["steps"] == 2


def test_weights_that_are_not_finite_are_not_saved(train, monkeypatch, tmp_path):
    from_batch(monkeypatch, 5, spoil_weight)
    message = (
        r"training stopped at step 5: weight net\.residual\.1\.weight is no longer finite.*; nothing was saved of it; "
        r"the last good checkpoint is .*last\.ckpt"
    )
    with pytest.raises(BrushnetError, match=message):
        train()
    assert brushnet.load(tmp_path / "run" / "checkpoints" / "last.ckpt").meta.training["steps"] == 4


def test_a_run_that_fails_before_its_first_checkpoint_is_to_be_started_anew(train, tmp_path):
    remedies = "a lower trainer.learning_rate or loss.style_weight, or trainer.precision=32-true"
    with pytest.raises(BrushnetError, match=f"nothing was saved before: start anew with {remedies}$"):
        train("loss.style_weight=1e39", "trainer.max_bad_steps=2")
    assert not (tmp_path / "run" / "checkpoints").exists()


SPOILT_RANK = """
    import os, torch
    from brushnet.training.module import StyleTraining

    photo = StyleTraining.as_float

    def spoilt(self, value):
        nan = os.environ.get("LOCAL_RANK") == "1" and self.batches_done >= 2
        return photo(self, value) * (float("nan") if nan else 1)

    StyleTraining.as_float = spoilt
"""


@pytest.mark.slow
def test_a_fault_of_one_process_stops_all_and_is_told_by_it(tiny, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(textwrap.dedent(SPOILT_RANK))
    done = subprocess.run(
        [sys.executable, "-m", "brushnet", "train", *tiny, "trainer.devices=2", "trainer.max_bad_steps=2",
         "trainer.checkpoint_every_steps=2", "hydra.run.dir=run"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    told = (
        "2 steps in a row had a non-finite loss or gradient; every tensor of this process is finite: "
        "it began in another process's batch; all of it is in "
    )
    assert told in done.stderr, done.stderr
    assert "it began in photo of shape (2, 3, 32, 32)" in (tmp_path / "run" / "faults_1.txt").read_text()
    assert brushnet.load(tmp_path / "run" / "checkpoints" / "last.ckpt").meta.training["steps"] == 2
