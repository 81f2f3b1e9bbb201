import math

import pytest

from brushnet.measure.ranks import spearman


def test_any_rising_function_has_rank_correlation_one_and_a_falling_one_minus_one() -> None:
    assert spearman([1, 2, 3, 9], [0.1, 5, 6, 1e9]) == pytest.approx(1)
    assert spearman([1, 2, 3, 9], [4, 3, 2, -7]) == pytest.approx(-1)


def test_equal_values_share_their_mean_rank() -> None:
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(math.sqrt(3) / 2)
    assert spearman([2, 1, 1], [1, 2, 2]) == pytest.approx(-1)


def test_what_does_not_vary_has_none() -> None:
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert math.isnan(spearman([1, 2, 3], [0.5, 0.5, 0.5]))
