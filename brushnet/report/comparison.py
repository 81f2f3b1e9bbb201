"""Trained runs beside the classic methods, on one photo: who reaches which style loss, and whose strokes are as asked.

Of the runs that were trained for the same stroke scales in the same way one configuration stands for all: that with
the least style loss at the scales that it was trained for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brushnet.report.effects import grouped
from brushnet.report.figures import TEST_SCALES, at_scale, mean
from brushnet.report.runs import Evaluation, Painted, Run


@dataclass(frozen=True)
class Entrant:
    """One method or trained setup; `rows` of all its seeds, on the photo of the comparison."""

    name: str
    detail: str
    rows: Sequence[Painted]
    folder: Evaluation  # where the pictures of the first rows lie
    group: str  # what its pictures are kept under
    trained: bool
    own: float | None = None  # the only stroke scale that it has

    def style(self, scale: float) -> float:
        return mean(row.style_loss for row in at_scale(self.rows, scale))

    def off(self, scale: float) -> float:
        """Octaves; positive where strokes are too large."""
        return mean(row.octaves - math.log2(row.stroke) for row in at_scale(self.rows, scale))

    def content(self) -> float:
        return mean(row.content_distance for scale in TEST_SCALES for row in at_scale(self.rows, scale))

    def seconds(self) -> float:
        return mean(row.seconds for row in self.rows)

    def picture(self, scale: float) -> str | None:
        return next((row.picture for row in at_scale(self.rows, scale)), None)


@dataclass(frozen=True)
class Comparison:
    painting: str
    photo: str
    entrants: Sequence[Entrant]

    @property
    def classic(self) -> list[Entrant]:
        return [each for each in self.entrants if not each.trained]

    @property
    def trained(self) -> list[Entrant]:
        return [each for each in self.entrants if each.trained]


def comparisons(runs: Sequence[Run], classics: Mapping[str, Evaluation]) -> list[Comparison]:
    """One for each painting that has two entrants or more."""
    found = []
    for painting, group in grouped(runs, lambda run: run.painting).items():
        classic = classics.get(painting)
        photo = classic.photos[0] if classic else group[0].evaluation.photos[0]
        entrants = [*(_methods(classic) if classic else []), *_setups(group, photo)]
        if len(entrants) > 1:
            found.append(Comparison(painting, photo, entrants))
    return found


def _methods(classic: Evaluation) -> list[Entrant]:
    names = dict.fromkeys(row.system for row in classic.rows)
    return [
        Entrant(
            name, "", [row for row in classic.rows if row.system == name], classic, f"classic {classic.painting}", False
        )
        for name in names
    ]


def _setups(runs: Sequence[Run], photo: str) -> list[Entrant]:
    setups = grouped(runs, lambda run: (run.evaluation.stroke_mode, run.evaluation.trained) if run.evaluation else None)
    found = [_best(group, photo) for group in setups.values()]
    return [each for each in found if each is not None]


def _best(runs: Sequence[Run], photo: str) -> Entrant | None:
    entrants = [_entrant(group, photo) for group in grouped(runs, lambda run: run.configuration()).values()]
    known = [each for each in entrants if not math.isnan(_own_loss(each))]
    return min(known, key=_own_loss, default=None)


def _entrant(runs: Sequence[Run], photo: str) -> Entrant:
    evaluations = [run.evaluation for run in runs if run.evaluation]
    rows = [row for each in evaluations for row in each.rows if row.photo == photo]
    low, high = evaluations[0].trained
    mode = evaluations[0].stroke_mode
    own = low if low == high else None
    return Entrant(
        f"{mode}, s = {low:.3g}" if low == high else f"{mode}, s = {low:.3g} to {high:.3g}",
        runs[0].label(),
        rows,
        evaluations[0],
        runs[0].name,
        True,
        own if mode != "conditioned" else None,
    )


def _own_loss(entrant: Entrant) -> float:
    """At the test scales that it was trained for; at all where it was trained for none of them."""
    rows = [row for scale in TEST_SCALES for row in at_scale(entrant.rows, scale)]
    return mean(row.style_loss for row in ([row for row in rows if row.seen] or rows))
