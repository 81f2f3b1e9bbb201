"""seeds.py: draws are functions of (seed, purpose, index) and of nothing else."""

import numpy as np
import torch

from brushnet import seeds


def test_same_place_gives_the_same_draw_whatever_was_drawn_before():
    first = seeds.rng(3, "crop", 7).random(5)
    seeds.rng(3, "crop", 6).random(100)
    np.random.default_rng().random(3)
    assert (seeds.rng(3, "crop", 7).random(5) == first).all()


def test_seed_purpose_and_index_each_change_the_draw():
    draws = [
        seeds.rng(*place).random() for place in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (1, "a/0", 0)]
    ]
    assert len(set(draws)) == len(draws)


def test_draws_of_today_are_those_of_last_year():
    # Else an old run, resumed, would go on with other draws; should NumPy ever change them, this tells.
    assert seeds.rng(0, "crop", 0).integers(2**32) == 3347711322
    assert seeds.permutation(0, "order", 1, 6).tolist() == [5, 0, 2, 3, 1, 4]


def test_uniform_depends_on_each_index_alone_and_fills_the_range():
    alone = torch.cat([seeds.uniform(0, "s", torch.tensor([i]), -2, 3) for i in range(200)])
    together = seeds.uniform(0, "s", torch.arange(200), -2, 3)
    assert torch.equal(alone, together)
    assert together.dtype == torch.float32
    assert -2 <= together.min() < -1.8
    assert 2.8 < together.max() < 3


def test_spread_draws_are_exact_for_any_index():
    far = 2**40
    draws = seeds.spread(0, "s", torch.tensor([0, 5, far, far + 5]), 0, 1).double()
    step = (5 * (5**0.5 - 1) / 2) % 1
    assert torch.allclose((draws[1::2] - draws[::2]) % 1, torch.tensor(step, dtype=torch.float64), atol=1e-6)


def test_permutation_holds_each_number_once():
    assert sorted(seeds.permutation(5, "order", 2, 31)) == list(range(31))


def test_torch_seeded_repeats_inside_and_leaves_the_outside_alone():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with seeds.torch_seeded(0, "weights"):
        first = torch.rand(3)
    assert torch.equal(torch.rand(2), expected)
    with seeds.torch_seeded(0, "weights"):
        assert torch.equal(torch.rand(3), first)
    with seeds.torch_seeded(0, "other"):
        assert not torch.equal(torch.rand(3), first)


def test_integers_stay_below_the_count_and_depend_on_the_index_alone():
    draws = seeds.integers(5, "style", torch.arange(3000), 3)
    assert set(draws.tolist()) == {0, 1, 2}
    assert torch.bincount(draws).min() > 900
    assert torch.equal(seeds.integers(5, "style", torch.tensor([7, 2999]), 3), draws[[7, 2999]])
