"""The comparison as a table and pictures for each painting, and in words."""

import math
from collections.abc import Sequence
from pathlib import Path

from brushnet.report.comparison import Comparison, Entrant
from brushnet.report.figures import TEST_SCALES
from brushnet.report.markup import Html, tag, void
from brushnet.report.pictures import Pictures
from brushnet.report.words import Point

SAME = 0.02  # of a style loss: closer ones are called alike
TIMES = 2.0


def comparison_section(found: Sequence[Comparison], pictures: Pictures) -> Html | None:
    if not found:
        return None
    text = (
        "One photo for each painting; of runs trained for the same scales the configuration with the least style loss, "
        "mean over seeds. Octaves off: measured less requested stroke scale."
    )
    note = tag("p", text, klass="note")
    return tag("section", tag("h2", "Beside other methods"), note, [_painting(each, pictures) for each in found],
               id="comparison")  # fmt: skip


def comparison_points(found: Sequence[Comparison]) -> list[Point]:
    """About each of the two a line for each painting."""
    single = [text for each in found for text in single_scale(each)]
    methods = [text for each in found if (text := classic(each))]
    every = {"single scale": single, "classic methods": methods}
    return [Point(about, lines[0], tuple(lines[1:])) for about, lines in every.items() if lines]


def single_scale(found: Comparison) -> list[str]:
    """Runs of one scale against the conditioned ones, at the scale of the former."""
    sentences = []
    conditioned = [each for each in found.trained if each.own is None]
    for fixed in (each for each in found.trained if each.own is not None):
        scale = fixed.own
        assert scale is not None
        rivals = {each.name: each.style(scale) for each in conditioned if not math.isnan(each.style(scale))}
        if not rivals or math.isnan(fixed.style(scale)):
            continue
        name = min(rivals, key=lambda each: rivals[each])
        own, rival = fixed.style(scale), rivals[name]
        sentences.append(f"{found.painting} on {found.photo}: at its own s = {scale:g} style loss is {own:.2f} for "
                         f"{fixed.name} ({fixed.detail}) and {rival:.2f} for {name}, "
                         f"{_compared(rival, own)}.")  # fmt: skip
    return sentences


def classic(found: Comparison) -> str:
    """The best trained setup against each classic method, at s = 1 or at the first of the others that all have."""
    scales = (1.0, 2.0, 0.5)
    scale = next((each for each in scales if all(not math.isnan(one.style(each)) for one in found.entrants)), None)
    if scale is None or not found.classic or not found.trained:
        return ""
    best = min(found.trained, key=lambda each: each.style(scale))
    others = [f"{each.style(scale):.2f} for {each.name}{_duration(each)}" for each in found.classic]
    reference = min(found.classic, key=lambda each: each.style(scale))
    beside = _compared(best.style(scale), reference.style(scale), reference.name)
    return (f"{found.painting} on {found.photo}: at s = {scale:g} style loss is {best.style(scale):.2f} for "
            f"{best.name} ({best.detail}), {beside}; {', '.join(others)}.")  # fmt: skip


def _compared(value: float, other: float, whose: str = "") -> str:
    """`12% more than X`, or how many times as much where that is clearer; without X where it is plain what is meant."""
    if other <= 0 or abs(value / other - 1) <= SAME:
        return f"about as much as {whose}" if whose else "about as much"
    if value / other > TIMES:
        return f"{value / other:.1f} times as much{f' as {whose}' if whose else ''}"
    than = f" than {whose}" if whose else ""
    return f"{abs(value / other - 1):.0%} {'more' if value > other else 'less'}{than}"


def _duration(entrant: Entrant) -> str:
    return "" if math.isnan(entrant.seconds()) else f" in {entrant.seconds():.0f} s a picture"


def _painting(found: Comparison, pictures: Pictures) -> Html:
    return tag("div", tag("h3", f"{found.painting}, on {found.photo}"), tag("div", _table(found), klass="scroll"),
               _pictures(found, pictures))  # fmt: skip


def _table(found: Comparison) -> Html:
    scales = [tag("th", f"s = {scale:g}", scope="col", klass="number") for scale in TEST_SCALES]
    groups = tag("tr", tag("td"), tag("th", "style loss", colspan="3", scope="colgroup"),
                 tag("th", "octaves off", colspan="3", scope="colgroup"), tag("td"), tag("td"))  # fmt: skip
    head = tag("tr", tag("th", "method", scope="col"), scales, scales,
               tag("th", "content distance", scope="col", klass="number"),
               tag("th", "s a picture", scope="col", klass="number"))  # fmt: skip
    rows = [_row(each) for each in found.entrants]
    return tag("table", tag("thead", groups, head), tag("tbody", rows), klass="comparison")


def _row(each: Entrant) -> Html:
    cells = [_number(each.style(scale)) for scale in TEST_SCALES]
    cells += [_number(each.off(scale), "+.2f") for scale in TEST_SCALES]
    cells += [_number(each.content()), _number(each.seconds(), ".1f")]
    name = tag("th", each.name, " ", tag("small", each.detail), scope="row")
    return tag("tr", name, cells, klass="trained" if each.trained else None)


def _number(value: float, how: str = ".2f") -> Html:
    return tag("td", "-" if math.isnan(value) else f"{value:{how}}", klass="number")


def _pictures(found: Comparison, pictures: Pictures) -> Html:
    """As a contact sheet, so that it is enlarged and walked through alike."""
    cells: list[Html] = [tag("div", klass="name")]
    cells += [tag("div", f"s = {scale:g}", klass="head") for scale in TEST_SCALES]
    for row, each in enumerate(found.entrants):
        cells.append(tag("div", each.name, tag("small", each.detail), klass="name"))
        for column, scale in enumerate(TEST_SCALES):
            address = pictures.of(each.folder, each.picture(scale), group=str(Path(each.group).name))
            caption = f"{each.name}: s = {scale:g}, style loss {each.style(scale):.2f}"
            image = void("img", src=address, alt=caption, loading="lazy")
            cells.append(tag("button", image, type="button", data_row=row, data_column=column, data_caption=caption)
                         if address else tag("div"))  # fmt: skip
    columns = f"grid-template-columns:minmax(6rem,14rem) repeat({len(TEST_SCALES)},minmax(5.5rem,14rem))"
    return tag("div", cells, klass="sheet scroll", style=columns)
