import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import images, seeds
from brushnet.measure.bank import SteerableTexture
from brushnet.measure.painter import paint
from brushnet.measure.texture import Encoder, NetworkTexture, Texture
from brushnet.strokes import Painting


@pytest.fixture(scope="session")
def encode() -> Encoder:
    """Two layers of fixed random filters."""
    draws = seeds.rng(0, "test encoder")
    first = torch.from_numpy(draws.standard_normal((12, 3, 5, 5), dtype="float32")) / 8
    second = torch.from_numpy(draws.standard_normal((24, 12, 3, 3), dtype="float32")) / 10

    def encode(picture_B3HW: Tensor) -> dict[str, Tensor]:
        one = F.relu(F.conv2d(picture_B3HW - 0.5, first))
        return {"one": one, "two": F.relu(F.conv2d(F.avg_pool2d(one, 2), second))}

    return encode


@pytest.fixture(scope="session", params=["network", "steerable"])
def texture(request: pytest.FixtureRequest, encode: Encoder) -> Texture:
    return NetworkTexture(encode, ("one", "two")) if request.param == "network" else SteerableTexture()


@pytest.fixture(scope="session")
def painting() -> Painting:
    """256 x 320 px, strokes of 10 px, at a reference of 128 px: scales up to 2 are not enlarged."""
    painted = paint(torch.full((1, 3, 256, 320), 0.5), stroke_px=10, colour_jitter=0.15)
    return Painting(images.to_uint8(painted[0]), name="strokes", reference_px=128)
