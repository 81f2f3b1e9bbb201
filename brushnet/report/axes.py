"""The axes of runs that no sweep names: the options in which they differ."""

import re
from collections.abc import Mapping, Sequence

STROKE_KEYS = ("stroke.mode", "stroke.min", "stroke.max")  # one axis: they make sense only together
# Where and how a run goes on, not what it is.
_NO_AXES = re.compile(r"resume$|fork$|logger\.|data\.(workers|cache_dir)$|trainer\.(accelerator|devices)$")


def axes_of(options: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    """Axes with their values, and the values by run, of runs whose options are given by name."""
    every = {name: _with_stroke(each) for name, each in options.items() if each}
    keys = [key for key in next(iter(every.values()), {}) if not _NO_AXES.match(key)]
    axes: dict[str, list[str]] = {}
    for key in keys:
        values = list(dict.fromkeys(each.get(key, "") for each in every.values()))
        if len(values) > 1:
            axes[key] = in_order(values)
    return axes, {name: {key: each.get(key, "") for key in axes} for name, each in every.items()}


def in_order(values: Sequence[str]) -> list[str]:
    """Numbers by size; texts as they came."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


def _with_stroke(options: Mapping[str, str]) -> dict[str, str]:
    """The three options of the stroke range as one: `fixed 1`, `conditioned 0.35-2.8`."""
    mode, low, high = (options.get(key, "") for key in STROKE_KEYS)
    merged = {"stroke": f"{mode} {low}" if low == high else f"{mode} {low}-{high}"} if mode else {}
    return merged | {key: value for key, value in options.items() if key not in STROKE_KEYS}
