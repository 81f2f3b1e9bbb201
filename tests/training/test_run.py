import json
import logging
import os
import re
import shutil
import signal
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load, load_file

import brushnet
from brushnet import images
from brushnet.config import load_run
from brushnet.errors import Stopped, UserError
from brushnet.training import budget, callbacks
from brushnet.training import run as training_run
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.schedule import learning_rate_factor
from brushnet.training.stopping import StopOnSignal
from tests.training.conftest import AT_THE_END


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "run"


@pytest.fixture
def run(train, kept, tmp_path):
    """A whole run as `train` makes it, trained once; each test has a copy."""
    if not kept.exists():
        shutil.copytree(train(out="first"), kept)
    return shutil.copytree(kept, tmp_path / "run")


def metrics(run) -> list[dict[str, str]]:
    return MetricsCsv(run / "metrics.csv").rows()


def test_a_run_leaves_model_metrics_samples_checkpoints_and_config(run):
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    expected = "config.yaml metrics.csv model.safetensors"
    expected += " checkpoints/last.ckpt checkpoints/step_000008.ckpt checkpoints/best.ckpt"
    assert files == {*expected.split(), "samples/step_000006.jpg", "samples/step_000012.jpg"}
    assert len([row for row in metrics(run) if row["train/loss"]]) == 12
    assert len([row for row in metrics(run) if row["val/loss"]]) == 2


def test_the_terms_that_are_logged_sum_to_the_loss(run):
    row = next(row for row in metrics(run) if row["train/loss"])
    parts = sum(
        float(row[f"train/{name}"])
        for name in ("content", "style/relu1_1", "style/relu2_1", "style/relu3_1", "tv", "grid", "spectrum")
    )
    assert parts == pytest.approx(float(row["train/loss"]), rel=1e-4)


def test_validation_judges_by_all_that_is_minimised(train):
    """best.ckpt is the best by val/loss."""
    row = next(row for row in metrics(train("loss.tv_weight=0", "trainer.max_steps=6")) if row["val/loss"])
    parts = [float(row[f"val/{name}"]) for name in ("content", "style", "spectrum", "grid")]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(float(row["val/loss"]), rel=1e-4)


def test_without_the_spectrum_term_nothing_is_logged_of_it(train):
    columns = metrics(train("loss.spectrum_weight=0", "trainer.max_steps=6"))[0]
    assert not [name for name in columns if "spectrum" in name]


def test_training_lowers_the_style_loss_of_unseen_photos(train):
    run = train("trainer.max_steps=60", "trainer.validate_every_steps=10", "trainer.learning_rate=0.01", *AT_THE_END)
    style = [float(row["val/style"]) for row in metrics(run) if row["val/style"]]
    assert style[-1] < 0.75 * style[0]


def test_the_sample_grid_shows_photos_beside_scales(run):
    sheet = images.read(run / "samples" / "step_000012.jpg")
    columns, cell = 3, callbacks.CELL_PX  # photo, s = 0.5, s = 1
    assert columns * cell < sheet.shape[-1] < (columns + 1) * cell
    assert sheet.std() > 0.05


def test_model_and_checkpoint_hold_the_same_averaged_network(run):
    photo = torch.rand(1, 3, 33, 47)
    paintings = [brushnet.load(path)(photo, stroke=0.7) for path in (run, run / "checkpoints" / "last.ckpt")]
    assert torch.equal(*paintings)
    assert brushnet.load(run).meta.training["steps"] == 12
    assert brushnet.load(run).style_names == ("diagonal",)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(train):
    first, second, other = (
        load_file(train(f"seed={seed}", "trainer.max_steps=4", out=out) / "model.safetensors")
        for seed, out in ((1, "a"), (1, "b"), (2, "c"))
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("target", ["bank", "crop"])
def test_resume_gives_the_weights_of_an_unbroken_run(train, monkeypatch, target):
    whole = train(f"style.target={target}", out="whole")

    with monkeypatch.context() as patched:
        signal_at_step(patched, 6, signal.SIGTERM)
        with pytest.raises(Stopped, match=r"stopped at step 6 of 12; continue with: brushnet train resume=.*broken"):
            train(f"style.target={target}", out="broken")
    broken = train(
        f"style.target={target}", out="broken", resume_from=whole.parent / "broken" / "checkpoints" / "last.ckpt"
    )
    expected, found = (load_file(run / "model.safetensors") for run in (whole, broken))
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    steps = [row["step"] for row in metrics(broken) if row["train/loss"]]
    assert steps == [row["step"] for row in metrics(whole) if row["train/loss"]]


def test_a_finished_run_says_so_and_is_left_alone(train, run, caplog):
    before = (run / "checkpoints" / "last.ckpt").read_bytes()
    with caplog.at_level(logging.INFO):
        train(resume_from=run / "checkpoints" / "last.ckpt")
    assert "is finished: 12 of 12 steps are trained" in caplog.text
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == before


def test_a_finished_run_goes_on_when_it_is_given_more_steps(train, run):
    train("trainer.max_steps=15", resume_from=run / "checkpoints" / "last.ckpt")
    assert brushnet.load(run).meta.training["steps"] == 15


@pytest.mark.parametrize("content", [b"junk", None])
def test_a_checkpoint_of_another_kind_is_refused(train, tmp_path, content):
    path = tmp_path / "other.ckpt"
    if content is None:
        torch.save({"state_dict": {}}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"resume=.*other\.ckpt is (no checkpoint of|damaged: it is cut off)"):
        train(resume_from=path)


def test_a_run_that_was_begun_by_a_brushnet_of_another_network_is_not_continued(train):
    checkpoint = train("trainer.max_steps=2") / "checkpoints" / "last.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    told = json.loads(content["brushnet"]) | {"format": 1, "version": "0.0.9"}
    torch.save(content | {"brushnet": json.dumps(told)}, checkpoint)
    with pytest.raises(
        UserError, match=r"resume=.*last\.ckpt was begun by brushnet 0\.0\.9, .*format 1, now 3.* start the run anew"
    ):
        train("trainer.max_steps=4", resume_from=checkpoint)


def wait_until_heard(trainer, *, seconds=10.0):
    """Waits until the thread that reads signals has had its turn; on a busy machine that takes a while."""
    stop = next(each for each in trainer.callbacks if isinstance(each, StopOnSignal))
    end = time.monotonic() + seconds
    while stop.received is None and time.monotonic() < end:
        time.sleep(0.01)


def signal_at_step(monkeypatch, step: int, *numbers: int) -> None:
    """Sends these signals to this very process at the end of a step."""
    original = callbacks.StreamPosition.on_train_batch_end

    def send(self, trainer, module, *args):
        original(self, trainer, module, *args)
        if trainer.global_step == step:
            for number in numbers:
                os.kill(os.getpid(), number)
            if signal.getsignal(numbers[0]) is not signal.SIG_IGN:
                wait_until_heard(trainer)

    monkeypatch.setattr(callbacks.StreamPosition, "on_train_batch_end", send)


def test_a_finished_run_whose_model_is_missing_gets_it_back(train, run):
    expected = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").rename(run / ".model.safetensors.7.part")  # killed while it was written
    train(resume_from=run / "checkpoints" / "last.ckpt")
    assert not list(run.glob(".*.part"))
    found, before = load_file(run / "model.safetensors"), load(expected)
    assert all(torch.equal(found[key], before[key]) for key in before)


def test_a_run_with_a_time_limit_is_finished_until_it_is_given_another(train, monkeypatch, caplog):
    monkeypatch.setattr(budget.TimeBudget, "WARM_UP", 1)
    monkeypatch.setattr(budget.TimeBudget, "MEASURED", 3)
    limit = "trainer.max_time='00:01:00:00'"
    run = train(limit, "trainer.max_steps=8")
    checkpoint = run / "checkpoints" / "last.ckpt"
    with caplog.at_level(logging.INFO):
        train(limit, "trainer.max_steps=8", resume_from=checkpoint)
    assert "is finished: 8 of 8 steps are trained" in caplog.text
    train(limit, "trainer.max_steps=13", resume_from=checkpoint)
    assert brushnet.load(run).meta.training["steps"] == 13


def test_a_time_limit_that_proves_too_short_ends_the_run_as_finished(train, monkeypatch, caplog):
    monkeypatch.setattr(budget.TimeBudget, "WARM_UP", 0)
    monkeypatch.setattr(budget.TimeBudget, "MEASURED", 2)
    decide = budget.TimeBudget._decide

    def then_the_time_is_over(self, trainer, module):
        decide(self, trainer, module)
        self.seconds = 0.0

    monkeypatch.setattr(budget.TimeBudget, "_decide", then_the_time_is_over)
    train("trainer.max_time='00:01:00:00'")
    assert "trainer.max_time is over at step 3 of the 12 planned" in caplog.text


def test_without_a_clip_the_gradient_is_left_alone(train):
    clipped, free = (
        load_file(train(f"trainer.gradient_clip={clip}", "trainer.max_steps=3", out=out) / "model.safetensors")
        for clip, out in ((1e-9, "clipped"), (0, "free"))
    )
    assert any(not torch.equal(clipped[key], free[key]) for key in free)
    first = load_file(train("trainer.gradient_clip=0", "trainer.max_steps=1", out="one") / "model.safetensors")
    assert any(not torch.equal(first[key], free[key]) for key in free)


def test_a_time_limit_fixes_the_number_of_steps_and_anneals_towards_it(train, monkeypatch, caplog):
    monkeypatch.setattr(budget.TimeBudget, "WARM_UP", 1)
    monkeypatch.setattr(budget.TimeBudget, "MEASURED", 3)
    with caplog.at_level(logging.INFO):
        run = train("trainer.max_time='00:00:00:02'", "trainer.max_steps=100000")
    planned = int(re.search(r"leaves room for (\d+) steps", caplog.text)[1])
    rows = [row for row in metrics(run) if row["train/loss"]]
    done = int(float(rows[-1]["step"]))
    assert 4 < done <= planned < 100000
    expected = 3e-3 * learning_rate_factor("cosine", done, total_steps=planned, warmup_steps=2)
    assert float(rows[-1]["train/learning_rate"]) == pytest.approx(expected, rel=1e-3)
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]["TimeBudget"]
    assert saved["total_steps"] == done  # finished, also where the clock cut it short


@pytest.mark.parametrize("mode", ["mixed", "fixed"])
def test_the_other_modes_train_a_model_of_one_stroke(train, mode):
    extra = ["stroke.min=1.0", "stroke.max=1.0"] if mode == "fixed" else []
    model = brushnet.load(train(f"stroke.mode={mode}", *extra, "trainer.max_steps=2"))
    assert model.stroke_mode == mode
    with pytest.raises(UserError, match=rf"stroke\.mode={mode}"):
        model(torch.rand(1, 3, 32, 32), stroke=0.6)


def test_several_paintings_share_one_model(train, painting_file, tmp_path):
    second = tmp_path / "noise.png"
    images.write(torch.rand(1, 3, 100, 100), second)
    model = brushnet.load(train(f"style.files=['{painting_file}','{second}']", "trainer.max_steps=2"))
    assert model.style_names == ("diagonal", "noise")


def test_bf16_trains_with_finite_losses(train):
    run = train("trainer.precision=bf16-mixed", "trainer.max_steps=3")
    assert all(float(row["train/loss"]) < 1e4 for row in metrics(run) if row["train/loss"])


@pytest.mark.parametrize(("unit", "chosen"), [("amx_bf16", "bf16-mixed"), ("avx2", "32-true")])
def test_a_run_remembers_the_precision_that_was_chosen(train, monkeypatch, unit, chosen):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {unit: True})
    run = train("trainer.precision=auto", "trainer.max_steps=1", *AT_THE_END)
    assert f"precision: {chosen}" in (run / "config.yaml").read_text()  # or a resume elsewhere chooses anew


def test_broken_photos_are_counted_in_the_metrics(train, photos_dir, caplog):
    (photos_dir / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    with caplog.at_level(logging.WARNING):
        run = train("trainer.max_steps=30", "trainer.validate_every_steps=30", *AT_THE_END)
    last = [row for row in metrics(run) if row["val/loss"]][-1]
    assert sum(float(value) for name, value in last.items() if name.startswith("data/") and value) >= 1
    assert "flawed photos met in data.path" in caplog.text


def test_tensorboard_gets_metrics_and_sheets(train):
    run = train("logger=tensorboard", "trainer.max_steps=2")
    assert list((run / "tensorboard").glob("events.out.*"))


def test_wandb_without_a_login_is_offline_and_asks_nothing(train, monkeypatch, tmp_path, caplog):
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setattr(sys, "stdin", None)
    with caplog.at_level(logging.INFO):
        run = train("logger=wandb", "trainer.max_steps=2", "trainer.sample_every_steps=2")
    monkeypatch.delenv("WANDB_MODE")  # set by the logger
    assert "no login found, logging offline" in caplog.text
    assert list((run / "wandb").glob("offline-run-*"))
    assert list((run / "wandb").rglob("samples*.jpg"))


def test_the_loss_network_chosen_by_itself_is_saved_by_name(train, tmp_path, monkeypatch, caplog):
    """So that a resume does not choose anew where a VGG has been downloaded since."""
    monkeypatch.setenv("BRUSHNET_LOSSNET_CACHE", str(tmp_path / "no cache"))
    run = train("lossnet.weights=auto", "trainer.max_steps=1")
    assert load_run(run).lossnet.weights == "compact"
    assert brushnet.load(run).meta.training["lossnet"] == "compact"


@pytest.mark.parametrize(
    ("device", "precision", "wanted"),
    [("cuda", "bf16-mixed", "high"), ("cuda", "32-true", "highest"), ("cpu", "bf16-mixed", "highest")],
)
def test_statistics_are_of_tf32_with_bf16_on_a_gpu_alone_and_only_meanwhile(device, precision, wanted):
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))
    with training_run._matrix_products(trainer, SimpleNamespace(precision=precision)):
        assert torch.get_float32_matmul_precision() == wanted
    assert torch.get_float32_matmul_precision() == "highest"
