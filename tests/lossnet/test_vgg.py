import copy

import pytest
import torch

from brushnet.errors import UserError
from brushnet.lossnet import LossNetwork
from brushnet.lossnet.vgg import layer_names
from tests.conftest import vgg_state

VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


def state_with(indices: tuple[int, ...]) -> dict[str, torch.Tensor]:
    state, inputs = {}, 3
    for index in indices:
        state[f"features.{index}.weight"] = torch.zeros(4, inputs, 3, 3)
        state[f"features.{index}.bias"] = torch.zeros(4)
        inputs = 4
    return state


@pytest.mark.parametrize(("indices", "per_stage"), [(VGG16, (2, 2, 3, 3, 3)), (VGG19, (2, 2, 4, 4, 4))])
def test_layers_are_named_by_stage_and_place(indices, per_stage):
    expected = [f"relu{stage}_{place}" for stage, count in enumerate(per_stage, 1) for place in range(1, count + 1)]
    assert layer_names(state_with(indices), source="test") == expected
    assert layer_names(state_with(indices[:7]), source="truncated") == expected[:7]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, r"lossnet\.weights=odd is no VGG"),
        ({"conv.weight": torch.zeros(3, 3, 3, 3)}, r"no 'features\.0\.weight'"),
        (state_with((0, 2, 6)), r"no VGG, features\.6 follows features\.2"),
        (state_with((0,)) | {"features.0.weight": torch.zeros(4, 3, 5, 5)}, r"features\.0 has shape \(4, 3, 5, 5\)"),
        (state_with((0,)) | {"features.0.bias": torch.zeros(5)}, r"features\.0 has shape .* and a bias there"),
    ],
)
def test_weights_that_are_no_vgg_are_refused(state, message):
    with pytest.raises(UserError, match=message):
        LossNetwork(state, name="odd")


def test_features_have_the_resolution_of_their_stage(tiny_lossnet):
    feats = tiny_lossnet.features(torch.rand(2, 3, 33, 48), ["relu1_1", "relu3_1"])
    assert {name: tuple(value.shape) for name, value in feats.items()} == {
        "relu1_1": (2, 6, 33, 48),
        "relu3_1": (2, 10, 8, 12),
    }


def test_padding_draws_no_frame(tiny_lossnet):
    feats = tiny_lossnet.features(torch.full((1, 3, 32, 32), 0.7), tiny_lossnet.layers)
    for value in feats.values():
        torch.testing.assert_close(value, value[..., :1, :1].expand_as(value), atol=1e-5, rtol=1e-5)


def test_tiny_pictures_still_give_features(tiny_lossnet):
    assert tiny_lossnet.features(torch.rand(1, 3, 4, 5), ["relu3_1"])["relu3_1"].numel() > 0


def test_gradients_reach_the_picture_and_not_the_weights(tiny_lossnet):
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    tiny_lossnet.features(picture, ["relu2_1"])["relu2_1"].sum().backward()
    assert picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in tiny_lossnet.convs.parameters())


def test_truncation_drops_what_is_deeper_and_changes_nothing_else(tiny_lossnet):
    picture = torch.rand(1, 3, 16, 16)
    before = tiny_lossnet.features(picture, ["relu2_1"])["relu2_1"]
    tiny_lossnet.truncate(["relu1_1", "relu2_1"])
    assert tiny_lossnet.layers == ["relu1_1", "relu2_1"]
    assert torch.equal(tiny_lossnet.features(picture, ["relu2_1"])["relu2_1"], before)


def test_it_is_shared_and_never_copied(tiny_lossnet):
    assert copy.deepcopy({"lossnet": tiny_lossnet})["lossnet"] is tiny_lossnet


def test_a_layer_out_of_reach_is_refused_with_the_layers_there_are(tiny_lossnet):
    message = r"loss layers: tiny has no layer 'relu4_1'; its layers are relu1_1, relu2_1, relu3_1"
    with pytest.raises(UserError, match=message):
        tiny_lossnet.require(["relu1_1", "relu4_1"], option="loss layers")


def test_a_metric_multiplies_the_features_of_its_layer_and_no_other(tiny_lossnet):
    metric = torch.randn(5, 8)
    net = LossNetwork(vgg_state() | {"metric.relu2_1": metric}, name="distilled")
    picture = torch.rand(1, 3, 16, 16)
    plain, found = tiny_lossnet.features(picture, tiny_lossnet.layers), net.features(picture, net.layers)
    torch.testing.assert_close(found["relu2_1"], torch.einsum("kc,bchw->bkhw", metric, plain["relu2_1"]))
    assert torch.equal(found["relu3_1"], plain["relu3_1"])
    assert net.channels == {"relu1_1": 6, "relu2_1": 5, "relu3_1": 10}
    assert net.truncate(["relu1_1"]).channels == {"relu1_1": 6}
    assert not net.metric


@pytest.mark.parametrize("shape", [(0, 8), (9, 8), (4, 7), (8,)])
def test_a_metric_of_another_shape_is_refused(shape):
    message = r"lossnet\.weights=odd: metric\.relu2_1 has shape \(.*\), expected at most 8 rows of 8"
    with pytest.raises(UserError, match=message):
        LossNetwork(vgg_state() | {"metric.relu2_1": torch.zeros(shape)}, name="odd")
