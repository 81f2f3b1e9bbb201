import math

import pytest
import torch
from torch import Tensor

from brushnet.measure.bank import SteerableTexture
from brushnet.measure.control import Row, control_curve, evenly
from brushnet.measure.control_summary import (
    level_and_drift,
    mean_curve,
    rank_correlation,
    resolution_drift,
    summarise,
    usable_range,
)
from brushnet.measure.matched import painting_statistics
from brushnet.measure.meters import Meter, scale_judge
from brushnet.strokes import Painting


@pytest.fixture(scope="module")
def meter(painting: Painting) -> Meter:
    return Meter("test", painting_statistics(painting, texture=SteerableTexture(), octaves=(-1.25, 1.0)))


def row(photo: str, requested: float, matched: float, *, seen: bool = True, **figures: float) -> Row:
    return Row(photo=photo, stroke=2**requested, figures={"matched_octaves/e": matched, **figures}, seen=seen)


def test_a_perfect_painter_has_slope_one_and_no_error(painting: Painting, meter: Meter) -> None:
    photos = {"a": torch.zeros(1, 3, 8, 8), "b": torch.ones(1, 3, 8, 8)}
    asked: list[tuple[float, float]] = []

    def paint(photo_13HW: Tensor, stroke: float) -> Tensor:
        asked.append((float(photo_13HW.mean()), stroke))
        return painting.render(stroke)

    rows = control_curve(paint, photos, strokes=[0.5, 0.8, 1.5], judge=scale_judge([meter]), system="perfect")
    assert asked == [(0, 0.5), (0, 0.8), (0, 1.5), (1, 0.5), (1, 0.8), (1, 1.5)]
    assert [each.photo for each in rows] == ["a"] * 3 + ["b"] * 3
    assert {each.system for each in rows} == {"perfect"}
    summary = summarise(rows, encoder="test")
    assert summary.slope == pytest.approx(1, abs=0.05)
    assert summary.mean_absolute_error_octaves < 0.05
    assert summary.spearman == pytest.approx(1)
    assert summary.usable_octaves == pytest.approx(math.log2(3))
    assert summary.spread_over_photos_octaves == 0
    assert summary.unmeasured == 0


def test_a_painter_that_ignores_the_request_has_slope_zero(painting: Painting, meter: Meter) -> None:
    rows = control_curve(
        lambda photo, stroke: painting.render(1.0),
        {"a": torch.zeros(1, 3, 8, 8)},
        strokes=[0.5, 1, 2],
        judge=scale_judge([meter]),
    )
    summary = summarise(rows, encoder="test")
    assert summary.slope == pytest.approx(0, abs=1e-6)
    assert summary.mean_absolute_error_octaves == pytest.approx(2 / 3, abs=0.01)
    assert summary.spearman == 0
    assert summary.usable_octaves == 0
    assert summary.usable_from_octaves == summary.usable_to_octaves == 0


def test_summary_of_rows_worked_out_by_hand() -> None:
    rows = [row("a", -1, -0.5), row("b", -1, -0.7), row("a", 1, 0.5), row("b", 1, 0.7)]
    summary = summarise(rows, encoder="e")
    assert summary.slope == pytest.approx(0.6)
    assert summary.mean_absolute_error_octaves == pytest.approx(0.4)
    assert summary.spearman == pytest.approx(1)
    assert summary.spread_over_photos_octaves == pytest.approx(0.2 / math.sqrt(2))


@pytest.mark.parametrize("offsets", [(0, 0, 0), (0, 2, -1.5)])
def test_larger_strokes_for_every_larger_request_are_rank_one_however_far_the_photos_lie_apart(offsets: tuple) -> None:
    rows = [row(photo, at, at + shift) for photo, shift in zip("abc", offsets, strict=True) for at in (-1, 0, 1)]
    assert rank_correlation(rows, encoder="e") == pytest.approx(1)
    assert summarise(rows, encoder="e").spearman == pytest.approx(1)


def test_rank_is_the_mean_over_photos_and_counts_one_that_never_changes_as_none() -> None:
    falling = [row("a", 0, 1), row("a", 1, 0)]
    still = [row("b", 0, 0.5), row("b", 1, 0.5)]
    rising = [row("c", 0, 0), row("c", 1, 1), row("c", 2, 3), row("c", 3, 2)]  # 1 - 6 * 2 / (4 * 15)
    assert rank_correlation([*falling, *still, *rising], encoder="e") == pytest.approx((-1 + 0 + 0.8) / 3)
    assert rank_correlation([*rising, row("once", 0, 0)], encoder="e") == pytest.approx(0.8)
    assert math.isnan(rank_correlation([row("once", 0, 0), row("again", 1, 1)], encoder="e"))


def test_the_error_of_unseen_scales_is_told_apart() -> None:
    summary = summarise([row("a", 0, 0.1), row("a", 1, 1.1), row("a", 2, 1.1, seen=False)], encoder="e")
    assert summary.mean_absolute_error_octaves == pytest.approx(1.1 / 3)
    assert summary.unseen_error_octaves == pytest.approx(0.9)
    assert math.isnan(summarise([row("a", 0, 0.1)], encoder="e").unseen_error_octaves)


def test_rows_that_cannot_be_measured_are_counted_and_left_out() -> None:
    summary = summarise([row("a", 0, 0.1), row("a", 1, 1.1), row("a", 2, math.nan)], encoder="e")
    assert summary.unmeasured == 1
    assert summary.slope == pytest.approx(1)
    assert summary.mean_absolute_error_octaves == pytest.approx(0.1)


def test_too_few_rows_give_no_slope_and_no_spread_rather_than_a_crash() -> None:
    summary = summarise([row("a", 0, 0.1)], encoder="e")
    assert math.isnan(summary.slope)
    assert math.isnan(summary.spread_over_photos_octaves)
    nothing = summarise([], encoder="e")
    assert all(math.isnan(value) for value in (nothing.slope, nothing.spearman, nothing.mean_absolute_error_octaves))
    assert nothing.usable_octaves == 0


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        ([-2, -1, 0, 1, 2], (-2, 2)),
        ([-2, -1, 0, 0.5, 2], (-2, 0)),  # 1 is missed by half an octave
        ([-1.5, -1, 0, 1, 2], (-1, 2)),
        ([-2, -1, 5, 1, 2], (-2, -1)),  # the first of two runs of one length
        ([0, 0, 0, 0, 0], (0, 0)),
        ([5, 5, 5, 5, 5], None),
    ],
)
def test_the_usable_range_is_the_longest_run_of_met_requests(matched: list[float], expected: object) -> None:
    rows = [row("a", requested, found) for requested, found in zip(range(-2, 3), matched, strict=True)]
    assert usable_range(rows, encoder="e") == expected


def test_the_usable_range_ends_where_the_measured_scale_does_not_rise() -> None:
    rows = [row("a", 0, 0.2), row("a", 0.25, 0.2), row("a", 0.5, 0.4)]
    assert usable_range(rows, encoder="e") == pytest.approx((0.25, 0.5))


def test_a_request_whose_photos_err_to_both_sides_is_not_usable_though_their_mean_is_right() -> None:
    rows = [row(photo, at, at + side * error) for at, error in [(-1, 0.24), (0, 0.24), (1, 0.26)]
            for photo, side in [("a", 1), ("b", -1)]]  # fmt: skip
    assert usable_range(rows, encoder="e") == (-1, 0)
    assert summarise(rows, encoder="e").usable_octaves == 1
    assert usable_range([row("a", 0, 0.3), row("b", 0, -0.15)], encoder="e") == (0, 0)  # 0.225 on average


def test_a_request_with_a_reading_at_an_end_of_what_can_be_told_is_not_usable() -> None:
    rows = [row(photo, at, at) for photo in "ab" for at in (-1, 0, 1)] + [row("c", 1, 1.1), row("c", -1, -1.05)]
    assert usable_range(rows, encoder="e") == (-1, 1)
    assert usable_range(rows, encoder="e", tells_octaves=(-1.2, 1.1)) == (-1, 0)
    assert usable_range(rows, encoder="e", tells_octaves=(-1.05, 1.1)) == (0, 0)
    assert usable_range(rows[:1], encoder="e", tells_octaves=(-1, 1)) is None
    summary = summarise(rows, encoder="e", tells_octaves=(-1.2, 1.1))
    assert (summary.usable_from_octaves, summary.usable_to_octaves) == (-1, 0)


def test_a_point_is_the_mean_over_photos_with_their_deviation() -> None:
    points = mean_curve([row("a", 1, 0.4), row("b", 1, 0.8), row("a", -1, -1, seen=False)], encoder="e")
    assert points[0] == (-1, -1, 0, False)
    assert points[1] == pytest.approx((1, 0.6, 0.4 / math.sqrt(2), True))


def test_resolution_drift_is_the_mean_shift_at_the_requests_in_common() -> None:
    at_512 = [row("a", 0, 0.1), row("a", 1, 1.0), row("a", 2, 2.0)]
    at_1024 = [row("a", 0, 0.3), row("a", 1, 0.6)]
    assert resolution_drift(at_1024, at_512, encoder="e") == pytest.approx(0.3)
    assert math.isnan(resolution_drift(at_1024, [], encoder="e"))


def test_resolution_drift_compares_each_photo_with_itself() -> None:
    at_512 = [row("a", 0, 0.0), row("b", 0, 1.0), row("b", 1, 2.0)]
    at_1024 = [row("a", 0, 0.1), row("c", 0, 3.0), row("a", 1, 0.5)]
    assert resolution_drift(at_1024, at_512, encoder="e") == pytest.approx(0.1)
    assert math.isnan(resolution_drift([row("c", 0, 3.0)], at_512, encoder="e"))
    noisy = [row("a", 0, 0.2), row("b", 0, 0.8)]  # up in one photo, down in the other: no drift
    assert resolution_drift(noisy, at_512, encoder="e") == pytest.approx(0)


def test_drift_compares_each_photo_with_itself() -> None:
    rows = [row("a", 0, 0, ssim=0.2), row("a", 1, 0, ssim=0.3), row("b", 1, 0, ssim=0.9), row("c", 2, 0, ssim=0.5)]
    assert level_and_drift(rows, "ssim") == pytest.approx((0.475, 0.1))
    level, drift = level_and_drift([row("a", 0, 0, ssim=0.2), row("b", 1, 0, ssim=0.4)], "ssim")
    assert level == pytest.approx(0.3)
    assert math.isnan(drift)


def test_drift_is_what_a_figure_changes_with_the_request_and_not_with_the_photo() -> None:
    rows = [
        row(photo, octaves, 0, ssim=value + octaves / 10)
        for octaves in (0, 1)
        for photo, value in [("a", 0.2), ("b", 0.6)]
    ]
    assert level_and_drift(rows, "ssim") == pytest.approx((0.45, 0.1))
    assert all(math.isnan(value) for value in level_and_drift(rows, "lpips"))


def test_evenly_takes_from_all_over_and_never_twice() -> None:
    assert evenly(range(10), 3) == [0, 3, 6]
    assert evenly(range(2), 5) == [0, 1]
