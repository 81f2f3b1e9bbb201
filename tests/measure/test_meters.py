import math

import pytest
import torch

from brushnet.errors import UserError
from brushnet.measure import meters
from brushnet.measure.bank import SteerableTexture
from brushnet.measure.matched import painting_statistics
from brushnet.measure.meters import Meter, encoder_name, kinship, matched_figures, open_meters
from brushnet.strokes import Painting


@pytest.mark.parametrize(
    ("encoder", "lossnet", "kin"),
    [
        ("compact", "compact", "own"),
        ("vgg19", "torchvision vgg19", "own"),
        ("vgg19_to_relu3_4", "vgg19_to_relu3_4.pth", "own"),
        ("compact", "torchvision vgg19", "relative"),
        ("vgg19_to_relu3_4", "compact", "relative"),
        ("vgg19", "VGG-19_cut.safetensors", "relative"),
        ("steerable", "compact", "independent"),
        ("squeezenet1_1_onnxzoo", "compact", "independent"),
        ("vgg16", "compact", "independent"),
        ("compact", "mine.pth", "unknown"),
        ("mine", "compact", "unknown"),
        ("compact", None, "unknown"),
    ],
)
def test_kinship_is_read_off_the_names(encoder: str, lossnet: str | None, kin: str) -> None:
    assert kinship(encoder, lossnet) == kin


def test_an_encoder_is_called_by_its_name_or_its_file(tmp_path) -> None:
    (tmp_path / "net.pth").write_text("")
    assert encoder_name(str(tmp_path / "net.pth")) == "net"
    assert encoder_name("compact") == "compact"


def test_two_encoders_of_one_name_are_refused(painting: Painting) -> None:
    with pytest.raises(UserError, match=r"--encoder compact is given twice"):
        open_meters(["compact", "compact"], painting)


def test_a_large_picture_is_measured_on_tiles_as_the_whole_is(
    painting: Painting, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = Meter(
        "e", painting_statistics(painting, texture=SteerableTexture(), octaves=(-1.25, 1.0), step_octaves=0.25)
    )
    assert meter.octaves == (-1.25, 1.0)
    whole = matched_figures(painting.render(1.5), [meter])
    monkeypatch.setattr(meters, "LARGEST_PIXELS", 10_000)
    monkeypatch.setattr(meters, "TILE_PX", 128)
    tiles = matched_figures(painting.render(1.5), [meter])
    assert set(tiles) == {"matched_octaves/e", "distance/e"}
    assert tiles["matched_octaves/e"] == pytest.approx(whole["matched_octaves/e"], abs=0.2)
    assert tiles != whole


def test_a_blank_picture_has_no_scale(painting: Painting) -> None:
    meter = Meter(
        "e", painting_statistics(painting, texture=SteerableTexture(), octaves=(-1.25, 0.0), step_octaves=0.25)
    )
    assert math.isnan(matched_figures(torch.full((1, 3, 64, 64), 0.5), [meter])["matched_octaves/e"])
