"""A photo and a painting, small and unlike each other."""

import pytest
import torch
from torch import Tensor

from brushnet import images, seeds
from tests.conftest import strokes_picture


@pytest.fixture
def photo() -> Tensor:
    """Smooth colours, (1, 3, 48, 64)."""
    coarse = torch.from_numpy(seeds.rng(7, "test photo").random((1, 3, 6, 8))).float()
    return images.resize(coarse, 48, 64)


@pytest.fixture
def painting() -> Tensor:
    """Diagonal strokes, (1, 3, 64, 80)."""
    return images.to_float(strokes_picture(64, 80))[None]
