"""A long training: as much memory, as many descriptors and threads, and as fast at its end as at its beginning."""

import csv
import gc
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from brushnet import build, config, images
from brushnet.training.module import StyleTraining
from tests.conftest import strokes_picture, vgg_state
from tests.soak.photos import write_photos
from tests.soak.watch import growth, needs_proc, slow_down, told, watch

# Steps as small as they can be, validations, grids and checkpoints as often as in a real run.
TINY = [
    "lossnet.weights=vgg.pth", "style.files=[painting.png]", "style.reference_px=96", "style.bank_step_octaves=0.5",
    "loss.style_layers=[{name:relu1_1,weight:1}]", "loss.content_layers=[{name:relu2_1,weight:1}]",
    "loss.pyramid_levels=1", "loss.content_level=0", "loss.tv_weight=0", "stroke.min=0.5", "stroke.max=1.0",
    "net=slim", "net.width=4", "net.blocks=1", "net.stroke_embedding=4", "net.trunk=plain", "data.path=photos",
    "data.val_photos=4", "trainer.accelerator=cpu", "trainer.batch_size=1", "trainer.crop_px=16",
    "trainer.log_every_steps=10", "trainer.validate_every_steps=200", "trainer.sample_every_steps=500",
    "trainer.checkpoint_every_steps=500",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where a training finds its painting and its loss network."""
    torch.save(vgg_state(), tmp_path / "vgg.pth")
    images.write(images.to_float(strokes_picture())[None], tmp_path / "painting.png")
    return tmp_path


def train(folder: Path, *overrides: str) -> subprocess.Popen:
    """In a process of its own; what it says goes into the file `said`."""
    with (folder / "said").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "brushnet", "train", *TINY, *overrides, "hydra.run.dir=run"],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"},
            stdout=said,
            stderr=subprocess.STDOUT,
        )


def last_step(metrics: Path) -> int:
    """Of a file that is being written; 0 before its first row."""
    if not metrics.is_file():
        return 0
    with metrics.open("rb") as file:
        file.seek(max(0, metrics.stat().st_size - 4000))
        steps = [line.split(b",")[0] for line in file.read().splitlines()[1:]]
    return max((int(step) for step in steps if step.isdigit()), default=0)


@pytest.mark.parametrize("kind", ["csv", pytest.param("tensorboard", marks=pytest.mark.slow)])
def test_no_step_leaves_an_object_behind(folder, monkeypatch, kind):
    write_photos(folder / "photos", 40, damaged=2)
    monkeypatch.chdir(folder)
    alive: dict[int, Counter[type]] = {}
    step = StyleTraining.training_step

    def counted_step(module: StyleTraining, batch: dict[str, Tensor], index: int) -> None:
        if module.global_step in (43, 123, 203):
            gc.collect()
            alive[module.global_step] = Counter(map(type, gc.get_objects()))
        step(module, batch, index)

    monkeypatch.setattr(StyleTraining, "training_step", counted_step)
    often = [f"trainer.{what}_every_steps=40" for what in ("validate", "sample", "checkpoint")]
    options = ["data.workers=0", f"logger={kind}", "trainer.max_steps=204", *often]
    build.train(config.compose([*TINY, *options]), folder / "run")
    # In both stretches: modules that are loaded late, and other tests' threads, leave some once.
    more = (alive[123] - alive[43]) & (alive[203] - alive[123])
    assert more[Tensor] == 0
    assert max(more.values(), default=0) < 60, more.most_common(5)  # one for every step would be 80


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "damaged", "options"),
    [
        pytest.param(20_000, 0, ["data.workers=0"], id="one-process"),
        pytest.param(20_000, 0, ["data.workers=2"], id="workers"),
        pytest.param(20_000, 40, ["data.workers=2"], id="damaged-photos"),
        pytest.param(2_000, 0, ["data.workers=0", "logger=tensorboard"], id="tensorboard"),
        pytest.param(2_000, 0, ["data.workers=0", "logger=wandb"], id="wandb"),
    ],
)
def test_a_long_training_holds_no_more_at_its_end(folder, steps, damaged, options):
    write_photos(folder / "photos", 1000, damaged=damaged)
    process = train(folder, f"trainer.max_steps={steps}", *options)
    samples = watch(process, lambda: last_step(folder / "run" / "metrics.csv"), every_seconds=1)
    print("\n" + told(samples))
    assert process.returncode == 0, (folder / "said").read_text()
    with (folder / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["train/loss"]]) == steps // 10
    # A kept loss tensor is 0.5 kB a step, 10 MB in 20,000; one kept batch in ten 4 MB; what is kept a row 2,000 times.
    assert growth(samples, "megabytes") < 8
    assert growth(samples, "descriptors") < 1
    assert growth(samples, "threads") < 0.5
    assert slow_down(samples) < 1.5
