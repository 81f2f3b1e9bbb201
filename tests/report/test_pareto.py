from hypothesis import given
from hypothesis import strategies as st

from brushnet.report.figures import CONTROL, OBJECTIVES, figures_of
from brushnet.report.pareto import best, front
from tests.report import made

few = st.integers(0, 4).map(lambda value: value / 4)
points = st.lists(st.tuples(few, few, few), min_size=1, max_size=12)


def runs_of(points: list[tuple[float, float, float]], painting: str = "waves"):
    return [
        made.run(f"{painting}{place}", error=error, style=style, content=content, painting=painting)
        for place, (error, style, content) in enumerate(points)
    ]


@given(points)
def test_the_front_beats_all_others_and_none_of_itself(points: list[tuple[float, float, float]]) -> None:
    runs = runs_of(points)
    figures = {run.name: figures_of(run) for run in runs}
    on_front = front(runs, figures)
    assert on_front

    def beats(one: str, other: str) -> bool:
        pairs = [(figures[one][each.key], figures[other][each.key]) for each in OBJECTIVES]
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    for run in runs:
        assert (run.name in on_front) != any(beats(other.name, run.name) for other in runs)


def test_paintings_do_not_compete() -> None:
    runs = [*runs_of([(0.1, 0.1, 0.1), (0.2, 0.2, 0.2)]), *runs_of([(0.9, 0.9, 0.9)], "night")]
    figures = {run.name: figures_of(run) for run in runs}
    assert front(runs, figures) == {"waves0", "night0"}
    assert best(runs, figures, CONTROL) == {"waves0"}  # a run alone is not the best of anything


def test_what_was_not_measured_is_neither_best_nor_on_the_front() -> None:
    runs = runs_of([(float("nan"), 0.1, 0.1), (0.5, 0.5, 0.5), (0.6, 0.5, 0.5)])
    figures = {run.name: figures_of(run) for run in runs}
    assert front(runs, figures) == {"waves1"}
    assert best(runs, figures, CONTROL) == {"waves1"}
