"""What the network is told, and what of its answer belongs to a single painting."""

import pytest
import torch
from torch import Tensor

from brushnet.nets import ResidualTransformer
from brushnet.nets.condition import ConditionEmbedding

NORMS = [3, 5]


@pytest.fixture
def condition() -> ConditionEmbedding:
    torch.manual_seed(0)
    condition = ConditionEmbedding(NORMS, embedding=6, styles=4).requires_grad_(False)
    torch.nn.init.normal_(condition.affine.weight, std=0.3)
    torch.nn.init.normal_(condition.affine.bias, std=0.3)
    return condition


def values(condition: ConditionEmbedding, log2_stroke_B1hw: Tensor, weights_BK: Tensor) -> Tensor:
    """All scales and shifts in one tensor (B, 2C, h, w)."""
    return torch.cat([torch.cat(pair, 1) for pair in condition(log2_stroke_B1hw, weights_BK)], 1)


ONE, MAP = torch.full((1, 1, 1, 1), 0.4), torch.linspace(-1, 1, 6).view(1, 1, 2, 3)


@pytest.mark.parametrize("stroke", [ONE, MAP], ids=["number", "map"])
def test_a_mixture_is_the_mean_of_the_paintings_own_scales_and_shifts(condition, stroke):
    weights = torch.tensor([[0.2, 0.0, 0.5, 0.3]])
    each = torch.cat([values(condition, stroke, row[None]) for row in torch.eye(4)])
    expected = (weights.view(4, 1, 1, 1) * each).sum(dim=0, keepdim=True)
    torch.testing.assert_close(values(condition, stroke, weights), expected)


@pytest.mark.parametrize("strokes", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_each_sample_has_its_own_weights(condition, strokes, size):
    stroke = torch.randn(strokes, 1, *size)
    weights = torch.tensor([[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.5, 0.25, 0.0, 0.25]])
    together = values(condition, stroke, weights)
    alone = [values(condition, stroke[min(i, strokes - 1)][None], weights[i][None]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_one_row_of_weights_serves_all_strokes(condition):
    stroke, weights = torch.randn(3, 1, 1, 1), torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    torch.testing.assert_close(
        values(condition, stroke, weights), values(condition, stroke, weights.expand(3, -1).clone())
    )


def test_only_the_paintings_of_the_mixture_are_computed(condition):
    with torch.no_grad():
        condition.affine.weight[[1, 3]] = torch.nan
    assert values(condition, ONE, torch.tensor([[0.5, 0.0, 0.5, 0.0]])).isfinite().all()


def test_a_painting_that_is_not_drawn_gets_a_gradient_of_zero(condition):
    condition.requires_grad_()
    values(condition, ONE, torch.tensor([[0.0, 0.0, 1.0, 0.0]])).square().sum().backward()
    for parameter in condition.of_paintings():
        assert parameter.grad is not None
        assert parameter.grad[2].count_nonzero() > 0
        assert parameter.grad[[0, 1, 3]].count_nonzero() == 0


def test_what_belongs_to_paintings_has_one_row_for_each(condition):
    shared = {"stroke.weight", "stroke.bias", "hidden.weight", "hidden.bias"}
    own = {name for name, parameter in condition.named_parameters() if len(parameter) == 4}
    assert own == {name for name, _ in condition.named_parameters()} - shared
    assert {id(parameter) for parameter in condition.of_paintings()} == {
        id(parameter) for name, parameter in condition.named_parameters() if name in own
    }


def test_added_paintings_start_as_the_first_or_another_and_leave_the_others_alone(condition):
    before = values(condition, MAP, torch.eye(4)[1:2])
    rows = [parameter.clone() for parameter in condition.of_paintings()]
    condition.add_paintings(2)
    condition.copy_painting(3, to=5)
    assert torch.equal(values(condition, MAP, torch.eye(6)[1:2]), before)
    for old, new in zip(rows, condition.of_paintings(), strict=True):
        assert torch.equal(new[:4], old)
        assert torch.equal(new[4], old[0])
        assert torch.equal(new[5], old[3])


def test_an_exported_graph_holds_for_other_weights(condition):
    first, second = torch.eye(4)[:1], torch.tensor([[0.0, 0.4, 0.3, 0.3]])
    graph = torch.export.export(condition, (ONE, first)).module()
    exported = torch.cat([torch.cat(pair, 1) for pair in graph(ONE, second)], 1)
    torch.testing.assert_close(exported, values(condition, ONE, second))


@pytest.mark.parametrize(("shape", "numbers"), [({"ends": "patch"}, 112_384),
                                                ({"ends": "patch", "stroke_embedding": 16}, 29_392),
                                                ({}, 120_704), ({"trunk": "plain"}, 104_064)])  # fmt: skip
def test_parameters_of_a_painting(shape, numbers):
    """The README tells the first two."""
    condition = ResidualTransformer(width=16, **shape).condition
    assert sum(parameter[0].numel() for parameter in condition.of_paintings()) == numbers
