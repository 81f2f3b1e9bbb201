"""What an option does: trained runs side by side, judged alike, as a CSV and a Markdown table of one row a run.

    python scripts/ablation.py RUN [RUN ...] -o OUT [--style P] [--content DIR] [--photos N] [--sizes PX,PX,...]

A row opens with the options in which the runs' config.yaml differ. A conditioned model is judged over the scales that
it was trained for. A mixed or fixed one has a stroke of its own, s = 1 or the nearest that it was trained for, and is
judged there; `conditioned/own` is the style loss at that s of the conditioned model that is alike in all but stroke.*,
over its own. All are given the style losses at s = 0.5, 1 and 2. OUT/SWEEP/RUN holds what `brushnet evaluate` writes.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import brushnet
from brushnet import build
from brushnet.commands.evaluate import KEPT_PX
from brushnet.commands.memory import keep_freed_memory
from brushnet.commands.parser import Parser, positive_int
from brushnet.commands.progress import Progress
from brushnet.config import Config
from brushnet.config.saved import load_run
from brushnet.config.schema import options
from brushnet.errors import BrushnetError, UserError
from brushnet.evaluation.judge import CONTENT, STYLE
from brushnet.evaluation.request import Request
from brushnet.evaluation.run import evaluate
from brushnet.inference.plan import check_outputs
from brushnet.measure.control import DISTANCE, Row
from brushnet.measure.control_summary import level_and_drift, mean_curve, resolution_drift, summarise
from brushnet.measure.meters import DEFAULT_ENCODER

SCALES = (0.35, 0.5, 0.71, 1.0, 1.41, 2.0, 2.8)
STYLE_SCALES = (0.5, 1.0, 2.0)
LEGEND = (
    "octaves: error, spread over photos, measured strokes at the smallest and at the largest s, drift with the size; "
    "match: distance to the painting's texture; content: distance to the photo, and its change with s; seconds: trained"
)


@dataclass(frozen=True)
class Run:
    folder: Path
    options: Mapping[str, str]  # by full key
    painting: str
    model: brushnet.StyleModel
    rows: list[Row] = field(default_factory=list)

    @property
    def name(self) -> str:
        """SWEEP/RUN, since the runs of every sweep are called 0, 1, 2."""
        return "/".join(self.folder.resolve().parts[-2:])

    @property
    def conditioned(self) -> bool:
        return self.model.stroke_mode == "conditioned"

    def answers(self, stroke: float) -> bool:
        """Whether strokes of this scale can be had of it."""
        low, high = self.model.stroke_range
        return low <= stroke <= high if self.conditioned else stroke == self.model.default_stroke

    def style_loss(self, stroke: float, px: int) -> float:
        return level_and_drift([row for row in self.rows if (row.stroke, row.size_px) == (stroke, px)], STYLE)[0]

    def told(self, name: str) -> float:
        """A number of the model's training summary; NaN where it says none, as it may say anything."""
        value = self.model.meta.training.get(name)
        return value if isinstance(value, int | float) else math.nan


def main(argv: list[str] | None = None) -> int:
    try:
        print(ablation(parse(argv)))
    except (BrushnetError, OSError) as error:
        print(f"ablation: error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", BrushnetError.exit_code)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="folder for what is written")
    parser.add_argument("--style", metavar="P", help="the painting (the first that a run was trained on)")
    parser.add_argument("--content", default="sample:photos", metavar="DIR", help="photos (%(default)s)")
    # Of the samples these four are none that data=sample trains on; of more, some are.
    parser.add_argument("--photos", type=positive_int, default=4, metavar="N", help="at most so many, evenly (4)")
    parser.add_argument("--sizes", type=whole_numbers, default=[512], metavar="PX,PX,...",
                        help="short sides of the photos: judged at the first, drift at the others (512)")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite what an earlier call wrote")
    return parser.parse_args(argv)


def whole_numbers(text: str) -> list[int]:
    return list(dict.fromkeys(positive_int(part) for part in text.split(",")))


def ablation(arguments: argparse.Namespace) -> str:
    """Writes OUT/ablation.csv and .md and returns the latter. Every run is opened before the first is evaluated."""
    runs = [open_run(folder) for folder in arguments.runs]
    for run in runs:
        if sum(other.name == run.name for other in runs) > 1:
            raise UserError(f"RUN {run.folder}: two runs are called {run.name}; give each once")
    table, text = (arguments.output / f"ablation.{suffix}" for suffix in ("csv", "md"))
    check_outputs([table, text], arguments.output, inputs=[], force=arguments.force)
    if max(arguments.sizes) <= KEPT_PX:
        keep_freed_memory()
    scales = {*SCALES, *(run.model.default_stroke for run in runs)}
    for run in runs:
        run.rows.extend(judged(run, scales, arguments))
    rows = [row_of(run, runs, arguments.sizes) for run in runs]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    text.write_text(markdown(rows), encoding="utf-8")
    return markdown(rows)


def open_run(folder: Path) -> Run:
    cfg = load_run(folder / "config.yaml")
    values = {key: value for key, _, value in options(cfg)}
    texts = {key: value if isinstance(value, str) else json.dumps(value, default=vars) for key, value in values.items()}
    return Run(folder, texts, cfg.style.files[0], brushnet.load(folder))


def judged(run: Run, scales: set[float], arguments: argparse.Namespace) -> list[Row]:
    """By the losses of the default configuration, whatever the run minimised."""
    asked = {scale for scale in scales if run.answers(scale)} | set(() if run.conditioned else STYLE_SCALES)
    request = Request(
        style=arguments.style or run.painting,
        model=str(run.folder),
        content=arguments.content,
        out=arguments.output / run.name,
        scales=tuple(asked),
        sizes=tuple(arguments.sizes),
        photos=arguments.photos,
        force=arguments.force,
    )
    with Progress("pictures") as progress:
        found = evaluate(request, build.build_spec(Config()), progress=progress.show)
    for file, cause in found.skipped:
        print(f"{run.name}: {file}: {cause}", file=sys.stderr)
    return found.rows


def row_of(run: Run, runs: Sequence[Run], sizes: Sequence[int]) -> dict[str, str]:
    differing = [key for key in run.options if len({other.options[key] for other in runs}) > 1]
    by_size = {px: [row for row in run.rows if row.size_px == px and run.answers(row.stroke)] for px in sizes}
    first = by_size[sizes[0]]
    summary, curve = summarise(first, encoder=DEFAULT_ENCODER), mean_curve(first, encoder=DEFAULT_ENCODER)
    content, content_drift = level_and_drift(first, CONTENT)
    figures = {
        "slope": summary.slope,
        "error": summary.mean_absolute_error_octaves,
        "rank": summary.spearman,
        "spread": summary.spread_over_photos_octaves,
        "measured from": curve[0].mean_octaves if curve else math.nan,
        "to": curve[-1].mean_octaves if curve else math.nan,
        "match": level_and_drift(first, f"{DISTANCE}/{DEFAULT_ENCODER}")[0],
        **{f"style@{scale:g}": run.style_loss(scale, sizes[0]) for scale in STYLE_SCALES},
        "conditioned/own": conditioned_over_own(run, runs, sizes[0]),
        "content": content,
        "content drift": content_drift,
        **{f"drift@{px}": resolution_drift(by_size[px], first, encoder=DEFAULT_ENCODER) for px in sizes[1:]},
        **{name: run.told(name) for name in ("steps", "seconds")},
    }
    numbers = {name: f"{value:.3f}".rstrip("0").rstrip(".") for name, value in figures.items() if math.isfinite(value)}
    return {"run": run.name} | {key: run.options[key] for key in differing} | dict.fromkeys(figures, "") | numbers


def conditioned_over_own(run: Run, runs: Sequence[Run], px: int) -> float:
    """Style losses at the run's own stroke. NaN for a conditioned model, and where no such model is its equal."""
    for other in () if run.conditioned else runs:
        differing = {key for key, value in other.options.items() if value != run.options[key]}
        alike = all(key.startswith("stroke.") for key in differing)
        if other.conditioned and alike and other.answers(own := run.model.default_stroke):
            return other.style_loss(own, px) / run.style_loss(own, px)
    return math.nan


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([value or "-" for value in row.values()] for row in rows)]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*table, "", LEGEND, ""])


if __name__ == "__main__":
    sys.exit(main())
