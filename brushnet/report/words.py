"""The summary of a sweep in plain words: each sentence is computed, and none is about axes that are not there.

A difference counts only beside the spread over seeds: what runs differ by that differ in nothing else.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from brushnet.report.effects import Figures, Level, grouped, levels, seed_spread, shares
from brushnet.report.figures import CONTENT, CONTROL, OBJECTIVES, STYLE, Figure, mean, shown
from brushnet.report.runs import FINISHED, Run, Sweep

MOST_NAMES = 4
LARGE_SHARE = 0.05  # of the variance: less is not worth a word


class Point(NamedTuple):
    """One thing to say: what it is about, and what; several lines where it has several sides."""

    about: str
    text: str
    more: tuple[str, ...] = ()


def sweep_points(sweep: Sweep, figures: Figures) -> list[Point]:
    runs = sweep.evaluated
    points = [_headline(sweep, runs, figures)] if runs else []
    points += [_axis_point(axis, runs, figures) for axis in sweep.design]
    if runs and sweep.factors:
        points.append(Point("what matters", variance_sentence(sweep, figures)))
    return points


def count_points(runs: Sequence[Run]) -> list[Point]:
    """How many runs ended how, and why those that did not finish did not."""
    states = {state: len(group) for state, group in grouped(runs, lambda run: run.state).items()}
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items(), key=lambda each: -each[1]))
    points = [Point("runs", f"{plural(len(runs), 'run')}: {counts}.")]
    left_out = [run for run in runs if run.state != FINISHED or run.evaluation is None]
    if left_out:
        causes = grouped(left_out, lambda run: (run.state, run.cause)).items()
        text = " ".join(f"{names_of(group)}: {_cause(state, cause)}." for (state, cause), group in causes)
        points.append(Point("left out", text))
    return points


def level_sentence(figure: Figure, ranking: Sequence[Level], spread: float) -> str:
    """Which value is best, by how much, and whether that is more than chance."""
    best, second, worst = ranking[0], ranking[1], ranking[-1]
    gap = abs(second.mean - best.mean)
    text = f"{best.value} has the least {figure.label}, {shown(best.mean, figure)}; next is {second.value} with "
    text += shown(second.mean, figure)
    if len(ranking) > 2:
        text += f", last {worst.value} with {shown(worst.mean, figure)}"
    return f"{text}. {verdict(gap, spread, figure)}"


def verdict(gap: float, spread: float, figure: Figure) -> str:
    """Whether a difference is larger than the spread over seeds."""
    by = shown(gap, figure)
    if math.isnan(spread):
        return f"The difference of {by} may be chance: no configuration was trained with two seeds."
    if gap <= spread:
        return f"The difference of {by} is within the spread over seeds ({shown(spread, figure)})."
    times = f"{gap / spread:.1f} times " if spread > 0 else "more than "
    return f"The difference of {by} is {times}the spread over seeds ({shown(spread, figure)})."


def variance_sentence(sweep: Sweep, figures: Figures) -> str:
    """How much of each objective's variance each axis explains by itself."""
    axes = sweep.explaining
    sentences = []
    for figure in OBJECTIVES:
        found = {
            axis: share for axis, share in shares(sweep.evaluated, axes, figure, figures).items() if share == share
        }
        if not found:
            continue
        ranked = sorted(found.items(), key=lambda each: -each[1])
        told = [
            f"{axis} explains {share:.0%}" for axis, share in ranked if share >= LARGE_SHARE or axis == ranked[0][0]
        ]
        less = [axis for axis, share in ranked if f"{axis} explains {share:.0%}" not in told]
        rest = 1 - sum(found.values())
        text = f"Of the variance in {figure.label}, {_and(told)}"
        text += f"; {_and(less)} less than {LARGE_SHARE:.0%}{' each' if len(less) > 1 else ''}" if less else ""
        text += f"; {rest:.0%} is how they act together, and chance" if rest >= LARGE_SHARE else ""
        sentences.append(f"{text}.")
    return " ".join(sentences)


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def names_of(runs: Sequence[Run]) -> str:
    names = ", ".join(run.name for run in runs[:MOST_NAMES])
    return f"{names} and {len(runs) - MOST_NAMES} more" if len(runs) > MOST_NAMES else names


def configuration_means(runs: Sequence[Run], figure: Figure, figures: Figures) -> dict[str, float]:
    """By the configuration's label: over its seeds and paintings."""
    groups = grouped(runs, lambda run: run.label())
    means = {label: mean(figures[run.name][figure.key] for run in group) for label, group in groups.items()}
    return {label: value for label, value in means.items() if not math.isnan(value)}


def _headline(sweep: Sweep, runs: Sequence[Run], figures: Figures) -> Point:
    """The best configuration of each objective; one sentence where one is best in several."""
    winners: dict[str, list[Figure]] = {}
    for figure in OBJECTIVES:
        if means := configuration_means(runs, figure, figures):
            winners.setdefault(min(means, key=lambda label: means[label]), []).append(figure)
    sentences = []
    for label, won in winners.items():
        figure_texts = [
            f"{figure.label} ({shown(configuration_means(runs, figure, figures)[label], figure)})" for figure in won
        ]
        sentences.append(f"{label} has the least {_and(figure_texts)}.")
    slopes = {run.name: figures[run.name]["slope"] for run in runs if not math.isnan(figures[run.name]["slope"])}
    if slopes:
        low, high = min(slopes.values()), max(slopes.values())
        sentences.append(f"Measured strokes follow the request by slopes of {low:.2f} to {high:.2f}, "
                         f"{fmean(slopes.values()):.2f} in the mean (1 is full control).")  # fmt: skip
    return Point("best", " ".join(sentences))


def _axis_point(axis: str, runs: Sequence[Run], figures: Figures) -> Point:
    sentences = []
    for figure in (CONTROL, STYLE, CONTENT):
        ranking = levels(runs, axis, figure, figures)
        if len(ranking) > 1:
            sentences.append(level_sentence(figure, ranking, seed_spread(runs, figure, figures)))
    if not sentences:
        return Point(axis, "Only one of its values was measured.")
    return Point(axis, sentences[0], tuple(sentences[1:]))


def _cause(state: str, cause: str) -> str:
    if state == FINISHED:
        return f"not measured ({cause.rstrip('.')})" if cause else "not measured"
    return f"{state} ({cause.rstrip('.')})" if cause else state


def _and(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
