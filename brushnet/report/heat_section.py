"""Heat maps and shares of variance as tables: colours follow the page, numbers can be read and copied."""

import math
from collections.abc import Sequence

from brushnet.report.effects import Cell, Figures, shares
from brushnet.report.figures import OBJECTIVES, SECONDS
from brushnet.report.heat import Heat
from brushnet.report.markup import Html, tag, text
from brushnet.report.runs import Sweep, value_name


def heat_section(heats: Sequence[Heat], plot: str) -> Html:
    row, column = heats[0].row_axis, heats[0].column_axis
    title = f"{_named(row)} against {_named(column)}" if row and column else _named(row or column)
    note = tag("p", "Each number is the mean over all else that the sweep varies, below it one standard deviation over "
               "seeds. Darker is larger; the smallest is framed. ", tag("a", "As a picture", href=plot), ".",
               klass="note")  # fmt: skip
    return tag("section", tag("h2", title), note, tag("div", [_table(heat) for heat in heats], klass="heats"),
               id="heat-maps")  # fmt: skip


def shares_section(sweep: Sweep, figures: Figures) -> Html:
    """Bars of how much of each objective's variance each axis explains by itself."""
    axes = sweep.explaining
    columns = (*OBJECTIVES, SECONDS)
    found = [shares(sweep.runs, axes, figure, figures) for figure in columns]
    head = tag("tr", tag("th", "axis", scope="col"), [tag("th", each.label, scope="col") for each in columns])
    rows = [tag("tr", tag("th", axis, scope="row"), [_bar(each[axis]) for each in found]) for axis in axes]
    rest = [1 - sum(each.values()) for each in found]
    rows.append(tag("tr", tag("th", "together, chance", scope="row"), [_bar(each) for each in rest], klass="rest"))
    note = "Share of the variance between runs that the means of an axis's values explain."
    return tag("section", tag("h2", "Which axis matters"), tag("p", note, klass="note"),
               tag("div", tag("table", tag("thead", head), tag("tbody", rows), klass="shares"), klass="scroll"),
               id="shares")  # fmt: skip


def _table(heat: Heat) -> Html:
    unit = tag("small", heat.figure.unit) if heat.figure.unit else None
    caption = tag("caption", heat.figure.label, " ", unit)
    corner = tag("td") if heat.row_axis else None
    head = (
        tag("tr", corner, [tag("th", _label(heat.column_axis, value), scope="col") for value in heat.columns])
        if heat.column_axis
        else None
    )
    body = [
        tag(
            "tr",
            tag("th", _label(heat.row_axis, value), scope="row") if heat.row_axis else None,
            [_cell(each, heat) for each in row],
        )
        for value, row in zip(heat.rows, heat.cells, strict=True)
    ]
    return tag("table", caption, tag("thead", head) if head else None, tag("tbody", body), klass="heat")


def _cell(cell: Cell, heat: Heat) -> Html:
    if math.isnan(cell.mean):
        return tag("td", "-", klass="empty", title="no finished run")
    decimals = heat.figure.decimals
    spread = None if math.isnan(cell.deviation) else tag("small", f"± {cell.deviation:.{decimals}f}")
    runs = f"{cell.runs} run{'' if cell.runs == 1 else 's'}"
    return tag("td", f"{cell.mean:.{decimals}f}", spread, style=f"--t:{heat.warmth(cell.mean):.3f}", title=runs,
               klass="least" if heat.least(cell.mean) else None)  # fmt: skip


def _bar(share: float) -> Html:
    if math.isnan(share):
        return tag("td", "-", klass="empty")
    share = min(1.0, max(0.0, share))
    return tag("td", tag("span", style=f"--share:{share:.3f}", klass="bar"), tag("span", f"{share:.0%}"))


def _label(axis: str, value: str) -> Html:
    """May break after an underscore: columns are narrow."""
    return Html(text(value_name(axis, value)).replace("_", "_<wbr>"))


def _named(axis: str) -> str:
    return {"stroke": "Scale range", "layers": "layer selection"}.get(axis, axis)
