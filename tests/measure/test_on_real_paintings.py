"""What the matched scale was made for, on a few real paintings; `scripts/calibrate_meter.py matched` takes all."""

from pathlib import Path

import pytest

from brushnet.measure.bank import SteerableTexture
from brushnet.measure.encoders import open_encoder
from brushnet.measure.matched import PaintingStatistics, matched_octaves, painting_statistics
from brushnet.strokes import Painting


@pytest.fixture(scope="module", params=["vangogh_starry-night", "munch_the-scream"])
def painting(request: pytest.FixtureRequest, shared_data: Path) -> Painting:
    return Painting.open(shared_data / "style" / f"{request.param}.jpg", reference_px=256)


@pytest.fixture(scope="module")
def statistics(painting: Painting) -> PaintingStatistics:
    return painting_statistics(painting, texture=SteerableTexture(), octaves=(-2, 1))


@pytest.mark.parametrize("octaves", [-1.4, -0.3, 0.45])
def test_a_rescaled_painting_is_found_at_its_scale(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    assert matched_octaves(painting.render(2.0**octaves), statistics).octaves == pytest.approx(octaves, abs=0.1)


@pytest.mark.parametrize("octaves", [-0.3, 0.45])
def test_parts_and_turned_copies_are_found_at_it_too(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    whole = painting.render(2.0**octaves)
    height, width = whole.shape[-2:]
    part = whole[..., : int(0.6 * height), : int(0.6 * width)]
    for picture in (part, part.rot90(dims=(-2, -1)), part.flip(-1), 0.5 * part + 0.2):
        assert matched_octaves(picture, statistics).octaves == pytest.approx(octaves, abs=0.1)


def test_an_independent_network_agrees(painting: Painting, shared_data: Path) -> None:
    network = open_encoder(str(shared_data / "weights" / "squeezenet1_1_onnxzoo.pth"))
    statistics = painting_statistics(painting, texture=network, octaves=(-2, 1))
    whole = painting.render(2.0**0.3)
    for picture in (whole, whole[..., :180, :220]):
        assert matched_octaves(picture, statistics).octaves == pytest.approx(0.3, abs=0.15)
