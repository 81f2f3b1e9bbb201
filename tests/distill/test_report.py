import pytest
import torch

from brushnet.config import Config
from brushnet.distill.report import DEFAULT, RAW_GRAM, STYLE_LAYERS, style_distances
from brushnet.measure.ranks import spearman


def test_spearman_sees_order_only():
    values = torch.randn(50)
    assert spearman(values, values.exp()) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    assert abs(spearman(torch.randn(2000), torch.randn(2000))) < 0.1


def test_equal_values_share_their_rank():
    """Against the formula by hand: ranks 1.5 1.5 3 and 1 2 3."""
    assert spearman(torch.tensor([1.0, 1, 2]), torch.tensor([1.0, 2, 3])) == pytest.approx(0.8660, abs=1e-4)


@pytest.mark.parametrize("distance", [DEFAULT, RAW_GRAM])
def test_a_picture_is_no_distance_from_itself_and_some_from_another(tiny_lossnet, distance):
    pictures = {"a": torch.rand(1, 3, 48, 48), "b": 0.5 * torch.rand(1, 3, 48, 48)}
    (found,) = style_distances(tiny_lossnet, pictures, [("a", "a"), ("a", "b")], [distance])
    same, other = found.tolist()
    assert same == 0
    assert other > 0.1


def test_kinds_of_distance_do_not_change_each_other(tiny_lossnet):
    pictures = {"a": torch.rand(1, 3, 48, 48), "b": torch.rand(1, 3, 48, 48)}
    both = style_distances(tiny_lossnet, pictures, [("a", "b")], [DEFAULT, RAW_GRAM])
    alone = [style_distances(tiny_lossnet, pictures, [("a", "b")], [distance])[0] for distance in (DEFAULT, RAW_GRAM)]
    assert [float(each) for each in both] == [float(each) for each in alone]


def test_the_default_distance_is_that_of_a_default_run():
    loss = Config().loss
    assert tuple(layer.name for layer in loss.style_layers) == STYLE_LAYERS
    assert (DEFAULT.kind, DEFAULT.levels, DEFAULT.mean_weight) == (
        loss.statistic,
        loss.pyramid_levels,
        loss.mean_weight,
    )
