from brushnet.report.axes import axes_of


def options(**changed: str) -> dict[str, str]:
    return {"stroke.mode": "conditioned", "stroke.min": "0.35", "stroke.max": "2.8", "seed": "0", "logger.name": "a",
            **changed}  # fmt: skip


def test_axes_are_the_options_that_differ_the_stroke_range_as_one() -> None:
    fixed = {"stroke.mode": "fixed", "stroke.min": "1.0", "stroke.max": "1.0"}
    runs = {"a": options(), "b": options(**fixed), "c": options(**fixed, seed="10"), "d": options(seed="9")}
    axes, values = axes_of(runs)
    assert axes == {"stroke": ["conditioned 0.35-2.8", "fixed 1.0"], "seed": ["0", "9", "10"]}
    assert values["c"] == {"stroke": "fixed 1.0", "seed": "10"}


def test_where_a_run_is_logged_is_no_axis_and_a_damaged_run_has_no_place() -> None:
    axes, values = axes_of({"a": options(), "b": options(**{"logger.name": "b"}), "c": {}})
    assert axes == {}
    assert values == {"a": {}, "b": {}}
    assert axes_of({}) == ({}, {})
