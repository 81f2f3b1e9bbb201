"""A small model, a painting with strokes, photos, and random filters to measure with."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from brushnet import images, models, seeds
from brushnet.losses import LossSpec
from brushnet.measure import meters
from brushnet.measure.matched import PaintingStatistics, painting_statistics
from brushnet.measure.painter import paint
from brushnet.measure.texture import Texture
from brushnet.models import ModelMeta, StyleModel
from brushnet.nets import ResidualTransformer
from brushnet.strokes import Painting
from tests.conftest import vgg_state

REFERENCE_PX = 100


@pytest.fixture(scope="session")
def known_paintings() -> dict[tuple, PaintingStatistics]:
    return {}


@pytest.fixture(autouse=True)
def quick_meters(monkeypatch: pytest.MonkeyPatch, known_paintings: dict[tuple, PaintingStatistics]) -> None:
    """The filter bank for `compact` too, few scales, each painting looked at once."""

    def statistics(painting: Painting, *, texture: Texture) -> PaintingStatistics:
        key = (painting.reference_px, painting.pixels.shape)
        if key not in known_paintings:
            known_paintings[key] = painting_statistics(painting, texture=texture, octaves=(-1.25, 1.25))
        return known_paintings[key]

    real = meters.open_encoder
    monkeypatch.setattr(meters, "open_encoder", lambda source: real("steerable" if source == "compact" else source))
    monkeypatch.setattr(meters, "painting_statistics", statistics)


@pytest.fixture(scope="session")
def strokes_pixels() -> Tensor:
    """uint8 (3, 200, 250), strokes of 10 px."""
    return images.to_uint8(paint(torch.full((1, 3, 200, 250), 0.5), stroke_px=10, colour_jitter=0.15)[0])


@pytest.fixture
def place(tmp_path: Path, strokes_pixels: Tensor, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: painting.png, photos/, tiny.pth (a loss network)."""
    monkeypatch.chdir(tmp_path)
    images.write(images.to_float(strokes_pixels)[None], "painting.png")
    for number, name in enumerate(["a.png", "b.png", "deep/c.png"]):
        coarse = torch.from_numpy(seeds.rng(number, "test photo").random((1, 3, 6, 8), dtype="float32"))
        images.write(images.resize(coarse, 64, 80), tmp_path / "photos" / name)
    torch.save(vgg_state(), "tiny.pth")
    return tmp_path


@pytest.fixture
def save_model():
    def save(
        path: str = "model.safetensors",
        *,
        mode: str = "conditioned",
        low: float = 0.5,
        high: float = 2.0,
        styles: tuple[str, ...] = ("painting",),
        lossnet: str | None = "tiny.pth",
    ) -> str:
        with seeds.torch_seeded(0, "test"):
            net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=len(styles))
            torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
        meta = ModelMeta.of(
            net.eval().requires_grad_(False),
            stroke_mode=mode,
            stroke_min=low,
            stroke_max=high,
            reference_px=REFERENCE_PX,
            style_names=list(styles),
            training={"lossnet": lossnet} if lossnet else {},
        )
        models.save(path, net, meta)
        return path

    return save


@pytest.fixture
def model(save_model, place) -> StyleModel:
    return models.load(save_model())


@pytest.fixture
def spec() -> LossSpec:
    return LossSpec(
        style_layers={"relu1_1": 1.0, "relu2_1": 1.0},
        content_layers={"relu2_1": 1.0},
        style_weight=7.0,
        content_weight=3.0,
        mean_weight=0.3,
        tv_weight=0.0,
        pyramid_levels=2,
        content_level=1,
    )
