import math

import pytest
import torch
from torch import Tensor

from brushnet import seeds
from brushnet.errors import UserError
from brushnet.losses import StyleTarget, energy, statistics, style_distance
from brushnet.lossnet import LossNetwork
from brushnet.measure.layer_table import ALL_LEVELS, LOSS, Row, layer_table
from brushnet.measure.probe import Series, probe, products, separation

WIDTHS = [2.0, 4.0, 8.0, 16.0]


def stripes(width_px: float, draw: int, *, side: int = 96) -> Tensor:
    """Soft stripes of one width, their phase and some grain drawn."""
    draws = seeds.rng(0, "test stripes", draw)
    across = torch.arange(side) / width_px * math.pi + float(draws.uniform(0, 6))
    grain = torch.from_numpy(draws.standard_normal((1, 3, side, side), dtype="float32"))
    return (0.5 + 0.3 * across.sin().expand(1, 3, side, side) + 0.05 * grain).clamp(0, 1)


def blur_network() -> LossNetwork:
    """One layer, which sees the mean of 3 x 3 px."""
    state = {"features.0.weight": torch.full((1, 3, 3, 3), 1 / 27), "features.0.bias": torch.full((1,), 3.0)}
    return LossNetwork(state, name="blur")


def series(widths: list[float] = WIDTHS, *, draws: int = 6) -> Series:
    return Series("stripes", widths, [[stripes(width, draw) for draw in range(draws)] for width in widths])


def test_a_single_blur_sees_only_strokes_of_its_size() -> None:
    cells = [cell for (cell,) in probe(series(), blur_network(), [(("relu1_1",), (0,))], mean_weight=0.0)]
    fine, middle, coarse = (cell.separation.distance for cell in cells)
    # 2 px are averaged away and 4 px are not; beyond, everything comes through, whatever its width.
    assert fine > 10 * middle > 10 * coarse
    assert cells[0].separation.d_prime > 10


def test_the_pyramid_lets_the_same_blur_see_larger_ones() -> None:
    choices = [(("relu1_1",), (0,)), (("relu1_1",), (2,))]
    cells = list(probe(series(), blur_network(), choices, mean_weight=0.0))
    one_level, coarse_level = ([pair[place].separation.distance for pair in cells] for place in range(2))
    assert coarse_level[2] > 10 * one_level[2]


def test_pictures_of_one_width_cannot_be_told_apart(tiny_lossnet: LossNetwork) -> None:
    same = Series("same", [8.0, 8.0], [[stripes(8, 10 * half + draw) for draw in range(8)] for half in range(2)])
    ((cell,),) = probe(same, tiny_lossnet, [(("relu2_1",), (0,))], mean_weight=0.3)
    assert abs(cell.separation.d_prime) < 1.5
    assert cell.separation.ratio == pytest.approx(1, abs=0.3)


def test_d_prime_is_the_distance_of_two_normal_distributions_over_their_spread() -> None:
    draws = seeds.rng(0, "test d prime")
    found = []
    for _ in range(200):
        values = torch.from_numpy(draws.standard_normal(16)) + torch.tensor([0.0] * 8 + [3.0] * 8)
        found.append(separation(values[:, None] * values[None, :]).d_prime)
    assert sum(found) / len(found) == pytest.approx(3, abs=0.25)


@pytest.mark.parametrize("count", [8, 24])
def test_the_error_of_d_prime_is_how_far_it_varies_from_draw_to_draw(count: int) -> None:
    draws = seeds.rng(0, "test d prime error")
    found = []
    for _ in range(150):
        values = torch.from_numpy(draws.standard_normal(2 * count)) + torch.tensor([0.0] * count + [3.0] * count)
        found.append(separation(values[:, None] * values[None, :]))
    error = (sum(each.d_prime_error**2 for each in found) / len(found)) ** 0.5
    assert error == pytest.approx(torch.tensor([each.d_prime for each in found]).std().item(), rel=0.3)


def test_three_draws_have_an_error_too(tiny_lossnet: LossNetwork) -> None:
    assert all(0 < row.d_prime_error < math.inf for row in table(tiny_lossnet, [series(draws=3)]))


def test_products_hold_the_distances_of_the_style_loss() -> None:
    feats = torch.rand(6, 5, 12, 12, generator=torch.Generator().manual_seed(0))
    found = statistics(feats, kind="covariance")
    halves = [type(found)(found.matrix[part], found.mean[part]) for part in (slice(0, 3), slice(3, 6))]
    squares = products(*halves, mean_weight=0.3)
    distance = squares[0, 0] + squares[4, 4] - 2 * squares[0, 4]
    target = StyleTarget(
        type(found)(found.matrix[4:5], found.mean[4:5]), energy(found.matrix).mean(), energy(found.mean).mean()
    )
    assert float(distance) == pytest.approx(
        float(style_distance(type(found)(found.matrix[:1], found.mean[:1]), target, mean_weight=0.3)), rel=1e-4
    )


def table(lossnet: LossNetwork, subjects: list[Series]) -> list[Row]:
    return layer_table(subjects, lossnet, loss_layers=["relu1_1", "relu3_1"], levels=2, mean_weight=0.3)


def test_shares_of_the_layers_sum_to_one_at_each_width(tiny_lossnet: LossNetwork) -> None:
    rows = table(tiny_lossnet, [series(draws=3)])
    for levels in ("0", "1", ALL_LEVELS):
        here = [row for row in rows if row.levels == levels and row.narrow == 4 and row.observer != LOSS]
        assert [row.observer for row in here] == tiny_lossnet.layers
        assert sum(row.energy_share for row in here) == pytest.approx(1)
        assert sum(row.loss_share for row in here) == pytest.approx(1)


def test_fields_double_with_the_level(tiny_lossnet: LossNetwork) -> None:
    rows = table(tiny_lossnet, [series(draws=3)])
    fields = {(row.observer, row.levels): row.field_px for row in rows}
    assert (fields["relu1_1", "0"], fields["relu1_1", "1"], fields["relu1_1", ALL_LEVELS]) == (3, 6, 6)
    assert fields[LOSS, "0"] == fields["relu3_1", "0"]


def test_several_series_are_averaged(tiny_lossnet: LossNetwork) -> None:
    one, other = series(draws=3), Series("others", WIDTHS, [[stripes(w, 50 + d) for d in range(3)] for w in WIDTHS])
    both, first, second = (table(tiny_lossnet, each) for each in ([one, other], [one], [other]))
    assert both[0].d_prime == pytest.approx((first[0].d_prime + second[0].d_prime) / 2)
    assert both[0].d_prime_error == pytest.approx(math.hypot(first[0].d_prime_error, second[0].d_prime_error) / 2)
    assert len(both) == len(first)


def test_two_draws_are_too_few() -> None:
    with pytest.raises(UserError, match=r"--draws must be at least 3, .* got 2"):
        list(probe(series(draws=2), blur_network(), [(("relu1_1",), (0,))], mean_weight=0.3))
