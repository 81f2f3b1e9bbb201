from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from brushnet import seeds
from brushnet.errors import UserError
from brushnet.measure.bank import SteerableTexture
from brushnet.measure.encoders import SQUEEZENET_LAYERS, SqueezeNet, load_squeezenet, open_encoder
from brushnet.measure.texture import NetworkTexture
from tests.conftest import vgg_state


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    with seeds.torch_seeded(0, "test"):
        return squeezenet1_1(weights=None).state_dict()


def test_layers_equal_those_of_torchvision_away_from_the_border(
    weights: dict[str, torch.Tensor],
) -> None:
    picture = torch.rand(2, 3, 130, 150, generator=torch.Generator().manual_seed(0))
    found = SqueezeNet(weights, layers=("relu1", "fire4"))(picture)
    whole = squeezenet1_1(weights=None).eval()
    whole.load_state_dict(weights)
    normalised = (picture - SqueezeNet(weights).mean) / SqueezeNet(weights).std
    assert list(found) == ["relu1", "fire4"]
    assert torch.equal(found["relu1"], whole.features[:2](normalised))
    inner = (..., slice(3, -3), slice(3, -3))
    assert torch.allclose(found["fire4"][inner], whole.features[:7](normalised)[inner], atol=1e-5)


def test_a_flat_picture_shows_no_frame(weights: dict[str, torch.Tensor]) -> None:
    for feats in SqueezeNet(weights)(torch.full((1, 3, 64, 80), 0.3)).values():
        assert feats.amax(dim=(2, 3)).allclose(feats.amin(dim=(2, 3)), atol=1e-5)


def test_every_layer_can_be_asked_for_alone(weights: dict[str, torch.Tensor]) -> None:
    for layer in SQUEEZENET_LAYERS:
        assert list(SqueezeNet(weights, layers=(layer,))(torch.rand(1, 3, 40, 40))) == [layer]


def test_an_unknown_layer_is_refused_with_those_at_hand(weights: dict[str, torch.Tensor]) -> None:
    with pytest.raises(UserError, match=r"SqueezeNet has no layer 'relu3_1'; its layers are relu1, fire2, .*fire5"):
        SqueezeNet(weights, layers=("relu3_1",))


def test_a_saved_file_is_loaded(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "squeezenet.pth")
    assert set(load_squeezenet(tmp_path / "squeezenet.pth")(torch.rand(1, 3, 40, 40))) == {"fire3", "fire4"}


def test_a_missing_file_junk_and_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder file not found: .*absent\.pth"):
        load_squeezenet(tmp_path / "absent.pth")
    (tmp_path / "junk.pth").write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"junk\.pth cannot be read as weights: it is no file of weights"):
        load_squeezenet(tmp_path / "junk.pth")
    torch.save(torch.nn.ReLU(), tmp_path / "module.pth")
    with pytest.raises(UserError, match=r"module\.pth cannot be read as weights: it holds more than tensors; such a"):
        load_squeezenet(tmp_path / "module.pth")
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth holds no SqueezeNet 1\.1 in torchvision's key layout"):
        load_squeezenet(tmp_path / "other.pth")


def test_encoders_open_by_name_and_by_file(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    assert isinstance(open_encoder("steerable"), SteerableTexture)
    torch.save(weights, tmp_path / "squeezenet.pth")
    torch.save(vgg_state(), tmp_path / "vgg.pth")
    layers = {
        "compact": ("relu2_1", "relu3_1"),
        str(tmp_path / "squeezenet.pth"): ("fire3", "fire4"),
    }
    for source, names in layers.items():
        texture = open_encoder(source)
        assert isinstance(texture, NetworkTexture)
        assert tuple(texture.weights) == names
        assert len(texture.maps(torch.rand(1, 3, 48, 48))) == 2


def test_an_unknown_encoder_is_refused_with_those_at_hand(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"--encoder alexnet: no such file, nor one of steerable, compact, vgg16, vgg19"
    ):
        open_encoder("alexnet")
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"junk\.pth cannot be read as weights"):
        open_encoder(str(tmp_path / "junk.pth"))
