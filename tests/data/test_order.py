"""order.py: a permutation per epoch, a function of (seed, epoch), local enough for shards."""

import numpy as np

from brushnet.data.order import GlobalOrder, permutation

GROUPS = [5, 1, 9, 4, 7, 7, 2, 3, 8, 6, 5, 4]


def test_an_epoch_holds_each_sample_once():
    for epoch in range(3):
        assert sorted(permutation(0, epoch, GROUPS)) == list(range(sum(GROUPS)))


def test_order_depends_on_seed_and_epoch_and_on_nothing_else():
    orders = [permutation(seed, epoch, GROUPS).tolist() for seed, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert len({tuple(order) for order in orders}) == 4
    assert permutation(1, 0, GROUPS).tolist() == orders[2]


def test_few_shards_are_read_from_at_a_time():
    groups = [10] * 20
    shard_of = permutation(0, 0, groups, shuffle_groups=4) // 10
    blocks = shard_of.reshape(5, 40)
    assert all(len(set(block)) == 4 for block in blocks)
    assert (np.diff(shard_of) != 0).mean() > 0.6  # mixed within the block, not one shard after the other


def test_one_group_is_shuffled_in_full():
    order = permutation(0, 0, [1000])
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1


def test_global_order_runs_through_the_epochs_in_any_order_of_asking():
    order = GlobalOrder(GROUPS, seed=3)
    size = sum(GROUPS)
    expected = [(epoch, int(n)) for epoch in range(3) for n in permutation(3, epoch, GROUPS)]
    assert [order(i) for i in range(3 * size)] == expected
    asked = [2 * size + 1, 5, size - 1, size, size - 1, 0, 2 * size]
    assert [order(i) for i in asked] == [expected[i] for i in asked]


def test_empty_shards_do_no_harm():
    assert sorted(permutation(0, 0, [0, 3, 0, 2])) == list(range(5))
