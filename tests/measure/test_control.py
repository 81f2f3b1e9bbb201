import math

import pytest
import torch
from torch import Tensor

from brushnet.measure.control import Row, control_curve, summarise
from brushnet.measure.matched import Encoder, painting_statistics
from brushnet.strokes import Painting


def test_a_perfect_painter_has_slope_one_and_no_error(painting: Painting, encode: Encoder) -> None:
    statistics = painting_statistics(painting, encode=encode, octaves=(-1.25, 1.0))
    photos = {"a": torch.zeros(1, 3, 8, 8), "b": torch.ones(1, 3, 8, 8)}
    asked: list[tuple[float, float]] = []

    def paint(photo_13HW: Tensor, stroke: float) -> Tensor:
        asked.append((float(photo_13HW.mean()), stroke))
        return painting.render(stroke)

    rows = control_curve(paint, photos, strokes=[0.5, 0.8, 1.5], painting=statistics)
    assert asked == [(0, 0.5), (0, 0.8), (0, 1.5), (1, 0.5), (1, 0.8), (1, 1.5)]
    assert [row.photo for row in rows] == ["a"] * 3 + ["b"] * 3
    summary = summarise(rows)
    assert summary.slope == pytest.approx(1, abs=0.05)
    assert summary.mean_absolute_error_octaves < 0.05
    assert summary.spread_over_photos_octaves == 0
    assert summary.unmeasured == 0


def test_a_painter_that_ignores_the_request_has_slope_zero(painting: Painting, encode: Encoder) -> None:
    statistics = painting_statistics(painting, encode=encode, octaves=(-1.25, 1.0))
    rows = control_curve(
        lambda photo, stroke: painting.render(1.0),
        {"a": torch.zeros(1, 3, 8, 8)},
        strokes=[0.5, 2],
        painting=statistics,
    )
    assert summarise(rows).slope == pytest.approx(0, abs=1e-6)
    assert summarise(rows).mean_absolute_error_octaves == pytest.approx(1, abs=0.01)


def test_summary_of_rows_worked_out_by_hand() -> None:
    rows = [Row("a", -1, -0.5, 0.1), Row("b", -1, -0.7, 0.1), Row("a", 1, 0.5, 0.1), Row("b", 1, 0.7, 0.1)]
    summary = summarise(rows)
    assert summary.slope == pytest.approx(0.6)
    assert summary.mean_absolute_error_octaves == pytest.approx(0.4)
    assert summary.spread_over_photos_octaves == pytest.approx(0.2 / math.sqrt(2))


def test_rows_that_cannot_be_measured_are_counted_and_left_out() -> None:
    rows = [Row("a", 0, 0.1, 0.1), Row("a", 1, 1.1, 0.1), Row("a", 2, math.nan, math.nan)]
    summary = summarise(rows)
    assert summary.unmeasured == 1
    assert summary.slope == pytest.approx(1)
    assert summary.mean_absolute_error_octaves == pytest.approx(0.1)


def test_too_few_rows_give_no_slope_and_no_spread_rather_than_a_crash() -> None:
    summary = summarise([Row("a", 0, 0.1, 0.1)])
    assert math.isnan(summary.slope)
    assert math.isnan(summary.spread_over_photos_octaves)
    assert all(math.isnan(value) for value in summarise([])[:3])
