"""Small things to train with: a loss network of three convolutions, a painting with clear strokes, photos."""

import gc
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from brushnet import images, seeds
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting

# Else hypothesis makes a folder of its own in the repository.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "brushnet-hypothesis"))

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_collection_finish() -> None:
    """Libraries and thousands of tests are there to stay: looking for garbage among them again and again takes time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # or a library that counts what it has lent says at the end that it leaks


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Hydra replaces pytest's handlers with those of a run, whose log is soon in a folder that is gone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level


def load_script(name: str) -> ModuleType:
    """scripts/NAME.py as a module, a new one each time."""
    path = ROOT / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{path.stem}_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos, paintings and weights beside a developer's checkout; a user's machine has none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared data beside this checkout")
    return SHARED_DATA


def vgg_state(widths: tuple[int, ...] = (6, 8, 10), *, pool_before: tuple[int, ...] = (1, 2)) -> dict[str, Tensor]:
    """Random weights in torchvision's VGG layout: one convolution a stage unless told otherwise."""
    generator = torch.Generator().manual_seed(0)
    state, index, inputs = {}, 0, 3
    for place, width in enumerate(widths):
        index += int(place in pool_before)
        state[f"features.{index}.weight"] = torch.randn(width, inputs, 3, 3, generator=generator) / (inputs * 9) ** 0.5
        state[f"features.{index}.bias"] = 0.1 * torch.randn(width, generator=generator)
        index, inputs = index + 2, width
    return state


@pytest.fixture
def tiny_lossnet() -> LossNetwork:
    """Layers relu1_1, relu2_1, relu3_1 with 6, 8 and 10 channels."""
    return LossNetwork(vgg_state(), name="tiny")


@pytest.fixture
def lossnet_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny_vgg.pth"
    torch.save(vgg_state(), path)
    return path


def strokes_picture(height: int = 96, width: int = 128) -> Tensor:
    """Orange and blue diagonal strokes, uint8 (3, H, W)."""
    rows, columns = torch.arange(height).view(-1, 1), torch.arange(width)
    wave = (((rows + columns) / 9).sin() > 0).float()
    orange, blue = torch.tensor([230.0, 140, 30]), torch.tensor([20.0, 60, 170])
    return (wave * orange.view(3, 1, 1) + (1 - wave) * blue.view(3, 1, 1)).to(torch.uint8)


@pytest.fixture
def small_painting() -> Painting:
    return Painting(strokes_picture(), name="diagonal", reference_px=64)


@pytest.fixture
def painting_file(tmp_path: Path) -> Path:
    path = tmp_path / "diagonal.png"
    images.write(images.to_float(strokes_picture())[None], path)
    return path


@pytest.fixture
def photos_dir(tmp_path: Path) -> Path:
    """Twelve small smooth photos."""
    folder = tmp_path / "content"
    folder.mkdir()
    for number in range(12):
        coarse = torch.from_numpy(seeds.rng(7, "test photo", number).random((1, 3, 6, 8))).float()
        images.write(images.resize(coarse, 72, 96).clamp(0, 1), folder / f"photo{number:02d}.jpg")
    return folder
