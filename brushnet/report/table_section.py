"""The table of all runs: sorted and filtered in the page, complete and readable without that too."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brushnet.report.effects import Figures
from brushnet.report.figures import FIGURES, OBJECTIVES, Figure, fixed
from brushnet.report.markup import Html, tag, void
from brushnet.report.pareto import best
from brushnet.report.runs import FINISHED, SEED_AXES, Run, Sweep

HINT = "Filter a column by a word, or by a number: <0.5, >=1, 0.2..0.4"
_LEFT_OUT = ("palette", "spread")  # of the page's table, not of runs.csv
_BEST, _FRONT = "best", "front"


@dataclass(frozen=True)
class _Column:
    key: str
    label: str
    unit: str = ""
    number: bool = False
    meaning: str = ""


def table_section(sweep: Sweep, figures: Figures, front: set[str]) -> Html:
    columns = _columns(sweep, figures)
    winners = {figure.key: best(sweep.evaluated, figures, figure) for figure in FIGURES}
    rows = [_row(run, columns, figures[run.name], winners, front) for run in sweep.runs]
    head = tag("thead", tag("tr", [_heading(each) for each in columns]),
               tag("tr", [_filter(each) for each in columns], klass="filters"))  # fmt: skip
    table = tag("table", head, tag("tbody", rows), id="runs")
    count = tag("output", f"{len(sweep.runs)} of {len(sweep.runs)} runs", id="runs-count", aria_live="polite")
    several = len(sweep.evaluated) > 1
    legend = [
        tag("p", "Bold: best of its painting. ", tag("span", "●", klass="front"), " on the Pareto front: no run of the "
            "same painting is better in ", _listed(OBJECTIVES), " at once.", klass="note") if several else None,
        tag("p", HINT, ". ", count, " ", tag("button", "clear filters", id="runs-clear", type="button", hidden=True),
            klass="note tools"),
    ]  # fmt: skip
    whole = tag("div", table, klass="scroll", tabindex="0", role="region", aria_label="table of all runs")
    more = tag("p", tag("a", "runs.csv", href="runs.csv"), " holds all figures.", klass="note")
    title = tag("h2", "Figures" if sweep.single else "All runs")
    return tag("section", title, legend, whole, more, id="all-runs")


def _columns(sweep: Sweep, figures: Figures) -> list[_Column]:
    axes = [_Column(f"axis:{axis}", axis, number=_all_numbers(values)) for axis, values in sweep.axes.items()]
    seed = [] if any(axis in SEED_AXES for axis in sweep.axes) else [_Column("seed", "seed", number=True)]
    measured = [
        _Column(figure.key, figure.label, figure.unit, number=True, meaning=figure.meaning)
        for figure in FIGURES
        if figure.key not in _LEFT_OUT and any(not math.isnan(figures[run.name][figure.key]) for run in sweep.runs)
    ]
    front = [_Column(_FRONT, "Pareto")] if len(sweep.evaluated) > 1 else []
    return [_Column("name", "run"), _Column("state", "state"), *axes, *seed, *front, *measured]


def _row(
    run: Run, columns: Sequence[_Column], figures: Mapping[str, float], winners: Mapping[str, set[str]], front: set[str]
) -> Html:
    cells = []
    for column in columns:
        if column.key in figures:
            cells.append(_number_cell(figures[column.key], column, best=run.name in winners[column.key]))
        elif column.key == "name":
            cells.append(tag("th", run.name, scope="row", title=run.name))
        elif column.key == _FRONT:
            on = run.name in front
            cells.append(tag("td", tag("span", "●", klass="front", title="on the Pareto front") if on else "",
                             data_value="yes" if on else "no", klass="mark"))  # fmt: skip
        else:
            cells.append(_text_cell(_value(run, column.key), column, run))
    return tag("tr", cells, klass=None if run.state == FINISHED else "unfinished")


def _value(run: Run, key: str) -> str:
    match key:
        case "state":
            return run.state
        case "seed":
            return run.seed
        case _:
            return run.values.get(key.removeprefix("axis:"), "")


def _text_cell(value: str, column: _Column, run: Run) -> Html:
    cause = run.cause if column.key == "state" else None
    return tag("td", value, data_value=value, klass="number" if column.number else None, title=cause or None)


def _number_cell(value: float, column: _Column, *, best: bool) -> Html:
    if math.isnan(value):
        return tag("td", "-", klass="number", data_value="")
    decimals = next(figure.decimals for figure in FIGURES if figure.key == column.key)
    shown = fixed(value, decimals)
    return tag("td", tag("strong", shown, title="best of its painting") if best else shown,
               klass=f"number {_BEST}" if best else "number", data_value=f"{value:.6g}")  # fmt: skip


def _heading(column: _Column) -> Html:
    unit = tag("small", column.unit) if column.unit else None
    button = tag("button", column.label, unit, type="button", title=column.meaning or None)
    return tag("th", button, scope="col", aria_sort="none", data_kind="number" if column.number else "text",
               klass="number" if column.number else None)  # fmt: skip


def _filter(column: _Column) -> Html:
    return tag("td", void("input", type="search", aria_label=f"filter {column.label}", autocomplete="off",
                          spellcheck="false", placeholder="<" if column.number else "…"))  # fmt: skip


def _listed(figures: Sequence[Figure]) -> str:
    return f"{', '.join(figure.label for figure in figures[:-1])} and {figures[-1].label}"


def _all_numbers(values: Sequence[str]) -> bool:
    try:
        return all(math.isfinite(float(value)) for value in values)
    except ValueError:
        return False
