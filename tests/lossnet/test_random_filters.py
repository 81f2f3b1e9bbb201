import torch

from brushnet.lossnet import load_lossnet
from brushnet.lossnet.random_filters import random_state


def test_random_filters_are_always_the_same():
    first, second = random_state(), random_state()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_it_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    random_state()
    assert torch.equal(torch.rand(4), expected)


def test_fine_strokes_count_as_much_as_coarse_ones():
    """Stripes of 3 and of 12 px: the first layer's responses to both are of one order of magnitude."""
    net = load_lossnet("random", layers=["relu1_1"])
    columns = torch.arange(96)
    powers = []
    for period in (3, 12):
        stripes = 0.45 + 0.1 * (2 * torch.pi * columns / period).sin().expand(1, 3, 96, 96)
        powers.append(net.features(stripes, ["relu1_1"])["relu1_1"].var(dim=(0, 2, 3)).mean())
    assert 0.5 < powers[0] / powers[1] < 50


def test_every_channel_has_about_the_same_say_on_photos():
    photos = torch.rand(8, 3, 8, 8).repeat_interleave(12, 2).repeat_interleave(12, 3)
    net = load_lossnet("random", layers=["relu1_1", "relu2_1", "relu3_1"], photos_B3HW=photos)
    for feats in net.features(photos, net.layers).values():
        power = feats.square().mean(dim=(0, 2, 3))
        assert power.min() > 0
        assert power.max() / power.median() < 20


def test_its_layers_are_named_as_a_vggs_down_to_relu3_4():
    net = load_lossnet("random", layers=["relu3_4"])
    assert net.layers[0] == "relu1_1"
    assert net.layers[-1] == "relu3_4"
    assert net.pooling == "avg"
