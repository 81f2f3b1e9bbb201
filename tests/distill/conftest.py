import dataclasses

import pytest
import torch

from brushnet import images, seeds
from brushnet.distill.student import Student
from brushnet.distill.train import Distillation, Settings

WIDTHS = ((4,), (5,), (6, 6))
RANKS = {"relu1_1": 6, "relu2_1": 3, "relu3_1": 8, "relu3_2": 8}


@pytest.fixture
def student() -> Student:
    """Three stages, its maps drawn at random: some wider, some narrower than its layers."""
    student = Student(WIDTHS, RANKS, seed=0)
    draws = seeds.rng(0, "test maps")
    with torch.no_grad():
        for name in student.layers:
            matrix = student.maps[name]
            matrix.copy_(torch.from_numpy(draws.standard_normal(matrix.shape)))
    return student


@pytest.fixture
def photos(photos_dir) -> list[torch.Tensor]:
    return [images.read_uint8(path) for path in images.list_images(photos_dir)]


@pytest.fixture
def settings() -> Settings:
    return Settings(widths=((4,), (5,), (6,)), steps=6, batch_size=4, crop_px=32, learning_rate=5e-3, seed=0)


@pytest.fixture
def begin(tiny_lossnet, photos, settings, tmp_path):
    """begin(checkpoint="last.pt", **changes of the settings) -> a Distillation that goes on from there."""

    def begin(checkpoint="last.pt", *, teacher=tiny_lossnet, sources=photos, **changes) -> Distillation:
        options = dataclasses.replace(settings, **changes)
        return Distillation(teacher, sources, options, checkpoint=tmp_path / checkpoint)

    return begin
