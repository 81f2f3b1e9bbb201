"""A clock that tests turn, and the tiny training of tests/training."""

import pytest
import torch

from brushnet.bench.clock import Clock


class FakeClock(Clock):
    """`clock.pass_by(seconds)` is all that lets its time go on."""

    def __init__(self):
        super().__init__(torch.device("cpu"), now=lambda: self.time)
        self.time = 0.0

    def pass_by(self, seconds):
        self.time += seconds


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def tiny(photos_dir, painting_file, lossnet_file):
    """Overrides of a training whose steps take milliseconds."""
    return [
        f"data.path='{photos_dir}'", f"style.files=['{painting_file}']", f"lossnet.weights='{lossnet_file}'",
        "data.workers=0", "data.val_photos=2", "style.reference_px=96", "style.bank_step_octaves=1", "stroke.min=0.5",
        "stroke.max=1.0", "loss.pyramid_levels=2", "loss.content_level=1", "net.width=4", "net.blocks=1",
        "net.stroke_embedding=8", "trainer.accelerator=cpu", "trainer.batch_size=2", "trainer.crop_px=32",
    ]  # fmt: skip
