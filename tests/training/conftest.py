"""A whole run of a tiny model, seconds on a CPU."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from brushnet import build, config
from brushnet.commands.bench_training import training_of
from brushnet.losses import Statistics
from brushnet.training.module import StyleTraining
from brushnet.training.spectrum import SpectrumTarget
from brushnet.training.targets import StyleBank

# For runs of many steps: sheets and checkpoints at the end alone, which take longer than steps so small.
AT_THE_END = ("trainer.sample_every_steps=1000", "trainer.checkpoint_every_steps=1000")


@pytest.fixture(autouse=True)
def _time_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A main thread that is slow to leave, on a busy machine, would be ended with all other tests of its process."""
    monkeypatch.setattr("brushnet.training.stopping.LEAVE_SECONDS", 60.0)


@pytest.fixture
def tiny(photos_dir: Path, painting_file: Path, lossnet_file: Path) -> list[str]:
    """Overrides of a run that trains twelve steps of a tiny network."""
    return [
        f"data.path='{photos_dir}'",
        f"style.files=['{painting_file}']",
        f"lossnet.weights='{lossnet_file}'",
        "data.workers=0",
        "data.val_photos=2",
        "style.reference_px=96",
        "style.bank_step_octaves=1",
        "stroke.min=0.5",
        "stroke.max=1.0",
        "loss.pyramid_levels=2",
        "loss.content_level=1",
        "net.width=4",
        "net.blocks=1",
        "net.stroke_embedding=8",
        "trainer.accelerator=cpu",
        "trainer.precision=32-true",
        "trainer.batch_size=2",
        "trainer.crop_px=32",
        "trainer.max_steps=12",
        "trainer.warmup_steps=2",
        "trainer.log_every_steps=1",
        "trainer.validate_every_steps=6",
        "trainer.sample_every_steps=6",
        "trainer.checkpoint_every_steps=4",
    ]


@pytest.fixture
def train(tiny: list[str], tmp_path: Path) -> Callable[..., Path]:
    """train(*overrides, out="run", resume_from=None, command=None) -> the run's folder."""

    def run(*overrides: str, out: str = "run", resume_from: Path | None = None, command: str | None = None) -> Path:
        cfg = config.compose([*tiny, *overrides])
        given = [override.partition("=")[0] for override in overrides]
        build.train(cfg, tmp_path / out, resume_from=resume_from, command=command, given=given)
        return tmp_path / out

    return run


@pytest.fixture
def module_on_meta(tiny: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., StyleTraining]:
    """module_on_meta(*overrides): with its bank, where there is nothing to be read: to ask for a value is an error."""

    def make(*overrides: str) -> StyleTraining:
        meta, (module, _) = torch.device("meta"), training_of(config.compose([*tiny, *overrides]))
        bank = module.bank = StyleBank(module.paintings, module.lossnet, module.spec, module.stroke, step_octaves=1)
        bank.rows = {key: Statistics(*(value.to(meta) for value in rows)) for key, rows in bank.rows.items()}
        module.spectrum = SpectrumTarget(module.paintings, module.stroke, step_octaves=1, device=meta)
        monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: contextlib.nullcontext())  # knows no meta device
        module.lossnet.to(meta)
        return module.to(meta)

    return make
