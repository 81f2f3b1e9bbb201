"""A small model and a folder of photos of every kind."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from brushnet import models
from brushnet.models import ModelMeta, StyleModel
from brushnet.nets import ResidualTransformer


@pytest.fixture
def make_model():
    def make(*, mode: str = "conditioned", low: float = 0.5, high: float = 2.0, styles: int = 1) -> StyleModel:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=styles)
            torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
        meta = ModelMeta.of(
            net.eval().requires_grad_(False),
            stroke_mode=mode,
            stroke_min=low,
            stroke_max=high,
            reference_px=256,
            style_names=[f"painting-{index}" for index in range(styles)],
        )
        return StyleModel(net, meta)

    return make


@pytest.fixture
def model(make_model) -> StyleModel:
    return make_model()


@pytest.fixture
def model_path(model, tmp_path) -> Path:
    models.save(tmp_path / "model.safetensors", model.net, model.meta)
    return tmp_path / "model.safetensors"


@pytest.fixture
def save_photo():
    """Writes a photo of `size` (width, height), colours running across it."""

    def save(path: Path, size: tuple[int, int] = (30, 21), *, mode: str = "RGB", **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        ramp = Image.linear_gradient("L").resize(size)
        picture = Image.merge("RGB", [ramp, ramp.transpose(Image.Transpose.FLIP_TOP_BOTTOM), ramp])
        picture = ramp.convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else picture
        (picture if mode == "I;16" else picture.convert(mode)).save(path, **options)
        return path

    return save
