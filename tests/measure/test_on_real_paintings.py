"""The figures that the matched scale was chosen by, on a few real paintings and the real encoder."""

from pathlib import Path

import pytest

from brushnet.measure.encoders import SqueezeNet, load_squeezenet
from brushnet.measure.matched import PaintingStatistics, matched_octaves, painting_statistics
from brushnet.strokes import Painting


@pytest.fixture(scope="module")
def encode(shared_data: Path) -> SqueezeNet:
    return load_squeezenet(shared_data / "weights" / "squeezenet1_1_onnxzoo.pth")


@pytest.fixture(scope="module", params=["vangogh_starry-night", "munch_the-scream"])
def painting(request: pytest.FixtureRequest, shared_data: Path) -> Painting:
    # At a reference of 128 px a few seconds, not half a minute.
    return Painting.open(shared_data / "style" / f"{request.param}.jpg", reference_px=128)


@pytest.fixture(scope="module")
def statistics(painting: Painting, encode: SqueezeNet) -> PaintingStatistics:
    return painting_statistics(painting, encode=encode, octaves=(-0.75, 1.25))


@pytest.mark.parametrize("octaves", [-0.3, 0.45, 0.9])
def test_a_rescaled_painting_is_found_at_its_scale(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    assert matched_octaves(painting.render(2.0**octaves), statistics).octaves == pytest.approx(octaves, abs=0.05)


@pytest.mark.parametrize("octaves", [-0.3, 0.45])
def test_parts_and_turned_copies_are_found_near_it(
    painting: Painting, statistics: PaintingStatistics, octaves: float
) -> None:
    whole = painting.render(2.0**octaves)
    height, width = whole.shape[-2:]
    part = whole[..., : int(0.6 * height), : int(0.6 * width)]
    assert matched_octaves(part, statistics).octaves == pytest.approx(octaves, abs=0.35)
    assert matched_octaves(whole.rot90(dims=(-2, -1)), statistics).octaves == pytest.approx(octaves, abs=0.2)
    assert matched_octaves(whole.flip(-1), statistics).octaves == pytest.approx(octaves, abs=0.25)
