"""Verdicts of claims a and c from made-up tables: each way they can come out."""

import math
from itertools import pairwise, permutations

import pytest

from brushnet.errors import BrushnetError
from brushnet.measure.layer_table import ALL_LEVELS, LOSS, Row
from brushnet.measure.ranks import spearman
from brushnet.probing.claim import (
    CONTRADICTED,
    DEPENDS,
    SUPPORTED,
    Claim,
    correlation_verdict,
    critical_correlation,
    verdict_of,
)
from brushnet.probing.claim_layers import (
    deeper_networks_capture_fine_strokes,
    field_against_width,
    large_strokes_in_shallow_layers,
)
from brushnet.report.probe_plot import Panel

LAYERS = {"relu1_1": 3, "relu2_1": 10, "relu3_1": 24, "relu4_1": 68}
WIDTHS = [2.0 * 2 ** (step / 2) for step in range(9)]


def panel(d_prime, name="made up", layers=LAYERS, widths=WIDTHS):
    """`d_prime(field_px, width_px)` of each layer and width."""
    rows = [
        Row(layer, levels, field, narrow, wide, d_prime(field, (narrow * wide) ** 0.5), 1, 1, 1, 0.25, 0.25)
        for levels in ("0", ALL_LEVELS)
        for narrow, wide in pairwise(widths)
        for layer, field in layers.items()
    ]
    return Panel(name, [*rows, rows[0]._replace(observer=LOSS, d_prime=99.0)], "px")


def tuned(to_px):
    """Each layer sees strokes of about one width."""
    return lambda field, width: 6 * math.exp(-(math.log2(width / to_px(field)) ** 2))


def test_layers_that_see_strokes_of_their_own_size_contradict_claim_a():
    claim = large_strokes_in_shallow_layers([panel(tuned(lambda field: field))])
    assert claim.verdict == CONTRADICTED
    assert "grows" in claim.found


def test_layers_the_other_way_round_support_it():
    claim = large_strokes_in_shallow_layers([panel(tuned(lambda field: 120 / field))])
    assert claim.verdict == SUPPORTED
    assert "shrinks" in claim.found


def test_layers_that_all_see_alike_leave_it_open():
    assert large_strokes_in_shallow_layers([panel(lambda field, width: 5 + 1 / width)]).verdict == DEPENDS


def test_networks_that_disagree_leave_it_open():
    panels = [panel(tuned(lambda field: field), "one"), panel(tuned(lambda field: 120 / field), "other")]
    claim = large_strokes_in_shallow_layers(panels)
    assert claim.verdict == DEPENDS
    assert claim.found.startswith("supported by 1, contradicted by 1 of 2 networks: one: ")
    assert [claim.figures[name]["verdict"] for name in ("one", "other")] == [CONTRADICTED, SUPPORTED]


def test_widths_that_no_layer_tells_apart_decide_nothing():
    claim = large_strokes_in_shallow_layers([panel(lambda field, width: 3.0 if width < 4 else field / 100)])
    assert claim.verdict == DEPENDS
    assert "only 2 widths are told apart" in claim.found


def test_the_field_that_sees_a_width_follows_the_layers_own_sizes():
    rank, slope, widths = field_against_width(panel(tuned(lambda field: field)).rows, "0")
    assert rank > 0.95
    assert slope == pytest.approx(1, abs=0.3)
    assert widths == pytest.approx([(narrow * wide) ** 0.5 for narrow, wide in pairwise(WIDTHS)])


@pytest.mark.parametrize(
    ("d_prime", "verdict"),
    [
        (lambda field, width: math.log2(field), SUPPORTED),
        (lambda field, width: 10 - math.log2(field), CONTRADICTED),
        (lambda field, width: {3: 5.0, 10: 9.0, 24: 7.0, 68: 4.0}[field], CONTRADICTED),
        (lambda field, width: {3: 5.0, 10: 6.0, 24: 4.0, 68: 5.5}[field], DEPENDS),
        (lambda field, width: 3.0, DEPENDS),
    ],
    ids=["rises", "falls", "peaks early and halves", "no trend", "flat"],
)
def test_depth_and_fine_strokes(d_prime, verdict):
    claim = deeper_networks_capture_fine_strokes([panel(d_prime)])
    assert claim.verdict == verdict


def test_only_fine_strokes_count_for_claim_c():
    assert deeper_networks_capture_fine_strokes(
        [panel(lambda field, width: math.log2(field) * (1 if width < 6 else -50))]
    ).verdict == SUPPORTED  # fmt: skip


def test_a_figure_that_does_not_exist_decides_nothing():
    assert verdict_of(math.nan, supports=1, contradicts=-1) == DEPENDS
    assert verdict_of(-2, supports=-1, contradicts=1) == SUPPORTED


def test_what_is_clear_depends_on_the_number_of_points():
    assert [critical_correlation(points) for points in (4, 6, 8, 11, 13, 40)] == [
        1.0,
        0.829,
        0.643,
        0.564,
        0.503,
        0.429,
    ]
    assert critical_correlation(3) == math.inf
    for points in range(4, 17):
        assert correlation_verdict(1.0, points, rises=SUPPORTED, falls=CONTRADICTED) == SUPPORTED
        assert correlation_verdict(-1.0, points, rises=SUPPORTED, falls=CONTRADICTED) == CONTRADICTED
    assert correlation_verdict(29 / 35, 6, rises=SUPPORTED, falls=CONTRADICTED) == SUPPORTED
    assert correlation_verdict(27 / 35, 6, rises=SUPPORTED, falls=CONTRADICTED) == DEPENDS
    assert correlation_verdict(1.0, 3, rises=SUPPORTED, falls=CONTRADICTED) == DEPENDS
    assert correlation_verdict(math.nan, 9, rises=SUPPORTED, falls=CONTRADICTED) == DEPENDS


def test_critical_values_are_what_shuffled_series_reach():
    for points in (4, 5, 6, 7):
        found = [spearman(range(points), order) for order in permutations(range(points))]
        share = sum(round(value, 3) >= critical_correlation(points) for value in found) / len(found)
        below = sorted({round(value, 3) for value in found if round(value, 3) < critical_correlation(points)})[-1]
        assert share <= 0.05
        assert sum(round(value, 3) >= below for value in found) / len(found) > 0.05


def test_a_trend_over_few_widths_must_be_without_fault():
    """Six widths, rank correlation 0.77: 0.6 is reached by more than one in ten by chance."""
    order = dict(zip(WIDTHS, (10, 3, 24, 68, 40, 90, 99), strict=False))

    def d_prime(field, width):
        return 6.0 if field == order[min(WIDTHS, key=lambda narrow: abs(narrow * 2**0.25 - width))] else 0.0

    layers = {f"relu{place}_1": field for place, field in enumerate(sorted(order.values()))}
    claim = large_strokes_in_shallow_layers([panel(d_prime, layers=layers, widths=WIDTHS[:7])])
    figures = claim.figures["made up"]
    assert figures["rank_correlation"] == pytest.approx(31 / 35)
    assert figures["critical_rank_correlation"] == 0.829
    assert claim.verdict == CONTRADICTED
    order[WIDTHS[0]], order[WIDTHS[2]] = order[WIDTHS[2]], order[WIDTHS[0]]
    claim = large_strokes_in_shallow_layers([panel(d_prime, layers=layers, widths=WIDTHS[:7])])
    assert claim.figures["made up"]["rank_correlation"] == pytest.approx(27 / 35)
    assert claim.verdict == DEPENDS


def test_the_tests_of_both_claims_name_the_critical_values_and_their_source():
    for claim in (large_strokes_in_shallow_layers([panel(lambda field, width: 3.0)]),
                  deeper_networks_capture_fine_strokes([panel(lambda field, width: 3.0)])):  # fmt: skip
        assert "critical value of Spearman's rho, Zar 1984, Ramsey 1989: 1 for 4, 0.9 for 5, 0.829 for 6" in claim.test


def test_the_middle_layer_lies_in_neither_half():
    layers = {"relu1_1": 3, "relu1_2": 5, "relu2_1": 10}
    for best, verdict in ((3, CONTRADICTED), (5, DEPENDS)):
        sight = {3: 5.0, 5: 5.0, 10: 1.0, best: 9.0}
        claim = deeper_networks_capture_fine_strokes(
            [panel(lambda field, width, sight=sight: sight[field], layers=layers)]
        )
        assert claim.verdict == verdict


def test_rank_correlation_shares_the_ranks_of_ties():
    assert spearman([1, 2, 3], [10, 20, 500]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 2, 3, 4], [1, 1, 2, 2]) == pytest.approx(0.894, abs=1e-3)
    assert math.isnan(spearman([1, 2], [5, 5]))


def test_a_verdict_is_one_of_four():
    with pytest.raises(BrushnetError, match=r"a verdict is one of supported, .* got perhaps"):
        Claim("x", "", "", "perhaps", "")


def test_without_fine_strokes_claim_c_stays_open():
    whole = panel(lambda field, width: field)
    broad = whole._replace(rows=[row for row in whole.rows if row.middle > 6])
    claim = deeper_networks_capture_fine_strokes([broad])
    assert claim.verdict == DEPENDS
    assert "no stroke of up to 6 px among --widths" in claim.found
