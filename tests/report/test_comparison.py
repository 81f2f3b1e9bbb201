import math
from dataclasses import replace

import pytest

from brushnet.report.comparison import comparisons
from brushnet.report.comparison_section import comparison_points
from tests.report import made


def classic(**style: float):
    rows = [
        replace(row, system=name, style_loss=loss, seconds=9.0)
        for name, loss in style.items()
        for row in made.evaluation().rows
    ]
    return replace(made.evaluation(), stroke_mode="classic", rows=tuple(rows))


def runs():
    return [
        made.run("told-a", {"layers": "a", "seed": "0"}, style=1.2),
        made.run("told-a1", {"layers": "a", "seed": "1"}, style=1.4),
        made.run("told-b", {"layers": "b", "seed": "0"}, style=1.1),
        made.run("fixed-a", {"layers": "a", "seed": "0"}, style=1.0, mode="fixed", trained=(1.0, 1.0)),
        made.run("fixed-b", {"layers": "b", "seed": "0"}, style=1.5, mode="fixed", trained=(1.0, 1.0)),
    ]


def test_each_way_of_training_is_shown_by_its_best_configuration() -> None:
    (found,) = comparisons(runs(), {"waves": classic(moments=2.0, features=0.5)})
    names = [(each.name, each.detail) for each in found.entrants]
    assert names == [
        ("moments", ""),
        ("features", ""),
        ("conditioned, s = 0.35 to 2.8", "b"),
        ("fixed, s = 1", "a"),
    ]
    assert found.trained[0].style(1.0) == 1.1
    assert found.trained[0].off(1.0) == pytest.approx(0.5)
    assert found.classic[0].seconds() == 9.0
    assert math.isnan(found.trained[0].seconds())


def test_words_compare_a_single_scale_and_the_classic_methods() -> None:
    found = comparisons(runs(), {"waves": classic(moments=2.0, features=0.5)})
    single, methods = comparison_points(found)
    assert single.text == (
        "waves on cat: at its own s = 1 style loss is 1.00 for fixed, s = 1 (a) and 1.10 for conditioned, "
        "s = 0.35 to 2.8, 10% more."
    )
    assert "1.00 for fixed, s = 1 (a), 100% more than features; 2.00 for moments in 9 s a picture" in methods.text
    assert (
        "3.0 times as much as features"
        in comparison_points(comparisons(runs()[:1], {"waves": classic(features=0.4)}))[0].text
    )
    alike = comparison_points(comparisons(runs()[:1], {"waves": classic(features=1.2)}))
    assert "about as much as features" in alike[0].text


def test_without_rivals_there_is_nothing_to_compare() -> None:
    assert comparisons(runs()[:1], {}) == []
    assert comparison_points(comparisons(runs()[:1], {})) == []
    (alone,) = comparisons(runs(), {})
    assert alone.classic == []
