import pytest
import torch

from brushnet.lossnet import LossNetwork
from brushnet.lossnet.receptive import pyramid_field_px, receptive_fields_px
from tests.conftest import vgg_state


def test_the_fields_of_vgg19_are_the_known_ones() -> None:
    places = {1: 2, 2: 2, 3: 4, 4: 4, 5: 1}
    fields = receptive_fields_px([f"relu{stage}_{place + 1}" for stage in places for place in range(places[stage])])
    known = {"relu1_2": 5, "relu2_2": 14, "relu3_1": 24, "relu3_4": 48, "relu4_1": 68, "relu5_1": 156}
    assert {name: fields[name] for name in known} == known


@pytest.mark.parametrize("layer", ["relu1_1", "relu1_2", "relu2_1", "relu3_1"])
def test_the_field_is_where_the_gradient_reaches(layer: str) -> None:
    state = {
        key: value.abs() for key, value in vgg_state(widths=(3, 3, 3, 3), pool_before=(2, 3)).items()
    }  # positive: no ReLU closes, and only pooling chooses
    lossnet = LossNetwork(state, name="positive")
    # Each picture's pooling chooses other pixels: together they reach every pixel of the field.
    pictures = torch.rand(400, 3, 48, 48, generator=torch.Generator().manual_seed(0)).requires_grad_()
    feats = lossnet.features(pictures, [layer])[layer]
    feats[:, :, feats.shape[2] // 2, feats.shape[3] // 2].sum().backward()
    assert pictures.grad is not None
    reached = pictures.grad.abs().sum(dim=(0, 1)) > 0
    rows = torch.nonzero(reached.any(dim=1)).flatten()
    assert int(rows.max() - rows.min()) + 1 == receptive_fields_px(lossnet.layers)[layer]


def test_a_pyramid_level_sees_twice_as_far_as_the_one_before() -> None:
    assert [pyramid_field_px(5, level) for level in range(3)] == [5, 10, 20]
