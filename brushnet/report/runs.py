"""What a report is about, as plain values: runs, what was measured of each, and the axes that they differ in.

Figures are NaN where nothing was measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FINISHED, DAMAGED = "finished", "damaged"
SEED_AXES = ("seed",)
PAINTING_AXES = ("style.files", "style", "painting")
Curve = Sequence[tuple[int, float]]  # step, value


@dataclass(frozen=True, kw_only=True)
class Painted:
    """One photo painted at one stroke scale; `picture` lies in the evaluation's folder, several rows may share it."""

    photo: str
    stroke: float
    seen: bool = True
    octaves: float = math.nan  # matched
    distance: float = math.nan  # of the match
    style_loss: float = math.nan
    content_distance: float = math.nan
    ssim: float = math.nan
    palette_distance: float = math.nan
    picture: str | None = None
    system: str = ""  # a classic method; a run has none
    seconds: float = math.nan  # that painting it took

    @property
    def error_octaves(self) -> float:
        return abs(self.octaves - math.log2(self.stroke))


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `evaluation.json` holds, checked; `folder` is where its pictures lie."""

    folder: Path
    painting: str
    encoder: str
    lossnet: str
    stroke_mode: str
    trained: tuple[float, float]
    scales: tuple[float, ...]
    photos: tuple[str, ...]
    rows: tuple[Painted, ...]
    summary: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """`options` are all of its configuration as text, by full key; `values` those of the sweep's axes."""

    name: str
    folder: Path
    state: str = FINISHED
    cause: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    seconds: float = math.nan
    steps: int | None = None
    device: str = ""
    command: str = ""
    version: str = ""
    evaluation: Evaluation | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def seed(self) -> str:
        return self.options.get("seed", self.values.get("seed", ""))

    @property
    def painting(self) -> str:
        return self.evaluation.painting if self.evaluation else ""

    def configuration(self) -> tuple[tuple[str, str], ...]:
        """Its place in the sweep but for painting and seed: what runs are averaged over."""
        return tuple((axis, value) for axis, value in self.values.items() if axis not in (*SEED_AXES, *PAINTING_AXES))

    def label(self) -> str:
        """The configuration in words; of a run alone its name."""
        return " · ".join(value_name(axis, value) for axis, value in self.configuration()) or self.name


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """`axes` by key, with their values in order; none for a single run. `told` is what the sweep says of itself."""

    folder: Path
    runs: Sequence[Run]
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    single: bool = False

    @property
    def evaluated(self) -> list[Run]:
        return [run for run in self.runs if run.evaluation is not None]

    @property
    def factors(self) -> list[str]:
        """Axes whose effect is asked for: all with two values or more but the seed."""
        return [axis for axis, values in self.axes.items() if len(values) > 1 and axis not in SEED_AXES]

    @property
    def explaining(self) -> list[str]:
        """What variance is shared out among: the factors, and the seed where two were measured."""
        seeds = [axis for axis in self.axes if axis in SEED_AXES]
        return [*self.factors, *(axis for axis in seeds if len({run.values.get(axis) for run in self.evaluated}) > 1)]

    @property
    def design(self) -> list[str]:
        """The factors but for the painting."""
        return [axis for axis in self.factors if axis not in PAINTING_AXES]


def value_name(axis: str, value: str) -> str:
    """A value for people: where it is only a number, with what it is of (`pyramid levels 3`)."""
    try:
        float(value)
    except ValueError:
        return value
    return f"{axis.rsplit('.', 1)[-1].replace('_', ' ')} {value}"
