"""DIR/report/: plots, `runs.csv`, copies of the pictures, and the page that shows them, written last."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from brushnet.errors import BrushnetError, UserError
from brushnet.files import write_whole
from brushnet.report.comparison import Comparison, comparisons
from brushnet.report.comparison_section import comparison_points, comparison_section
from brushnet.report.curves_plot import run_figure, sweep_figure
from brushnet.report.effects import Figures
from brushnet.report.figure import write_figure
from brushnet.report.figures import HEATS, figures_of
from brushnet.report.heat import Heat, heat_axes, heat_map, main_axis
from brushnet.report.heat_plot import heat_figure
from brushnet.report.heat_section import heat_section, shares_section
from brushnet.report.markup import Html, tag
from brushnet.report.page import page, plot
from brushnet.report.pareto import front
from brushnet.report.pictures import FOLDER as PICTURES
from brushnet.report.pictures import Pictures
from brushnet.report.repeat_section import repeat_section
from brushnet.report.run_words import run_points
from brushnet.report.runs import FINISHED, Evaluation, Run, Sweep
from brushnet.report.runs_csv import runs_csv
from brushnet.report.sheet_section import sheet_data, sheet_section
from brushnet.report.table_section import table_section
from brushnet.report.training_plot import training_figure
from brushnet.report.words import Point, count_points, plural, sweep_points

SHOWN_DPI = 125
PAGE, TABLE = "index.html", "runs.csv"
CONTROL_PLOT, HEAT_PLOT, TRAINING_PLOT = "control.png", "heat.png", "training.png"
BASELINES = "baselines"  # kept from one report to the next
OURS = (PAGE, TABLE, CONTROL_PLOT, HEAT_PLOT, TRAINING_PLOT, PICTURES, BASELINES)


def check_out(out: Path) -> None:
    """UserError where the report would overwrite what is none."""
    for folder in (out, out / PICTURES):
        if folder.is_symlink():
            raise UserError(f"{folder} is a link; a report is written into its own folder alone")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; move it away, the report becomes a folder of that name")
    others = sorted(each.name for each in out.iterdir() if each.name not in OURS) if out.is_dir() else []
    if others and not (out / PAGE).is_file():
        raise UserError(f"{out} holds something else than a report ({others[0]}); move it away")


def write_report(
    sweep: Sweep,
    out: Path,
    *,
    versions: Mapping[str, str],
    classics: Mapping[str, Evaluation] | None = None,
) -> Path:
    """The page's path. `classics` are the classic methods by painting, none where they are left out."""
    figures = {run.name: figures_of(run) for run in sweep.runs}
    on_front = front(sweep.evaluated, figures)
    pictures = Pictures(out)
    try:
        pictures.start_over()
        data = {"sheet": sheet_data(sweep, pictures)}
        write_whole(out / TABLE, runs_csv(sweep, figures, on_front).encode(), flushed=False)
        sections = _sections(sweep, figures, on_front, out)
        compared = comparisons(sweep.evaluated, classics or {})
        sections["comparison"] = ("other methods", comparison_section(compared, pictures))
        sections["repeat"] = ("to repeat it", repeat_section(sweep, versions))
        html = page(
            title=out.resolve().parent.name,
            subtitle=_subtitle(sweep),
            points=_points(sweep, figures, compared),
            figure=_control(sweep, figures, out),
            sections=[section for _, section in sections.values()],
            contents={place: title for place, (title, section) in sections.items() if section},
            data=data,
        )
        write_whole(out / PAGE, html.encode(), flushed=False)
    except OSError as error:
        raise BrushnetError(f"cannot write {out}: {error.strerror or error}") from error
    return out / PAGE


def _sections(sweep: Sweep, figures: Figures, on_front: set[str], out: Path) -> dict[str, tuple[str, Html | None]]:
    """Title and section by id, in order."""
    return {
        "heat-maps": ("heat maps", _heats(sweep, figures, out)),
        "contact-sheets": ("contact sheets", sheet_section()),
        "shares": ("which axis matters", shares_section(sweep, figures) if len(sweep.factors) > 1 else None),
        "all-runs": ("figures" if sweep.single else "all runs", table_section(sweep, figures, on_front)),
        "training": ("training", _training(sweep, figures, out)),
    }


def _points(sweep: Sweep, figures: Figures, compared: Sequence[Comparison]) -> list[Point]:
    if sweep.single:
        return [*run_points(sweep.runs[0]), *comparison_points(compared)]
    return [*sweep_points(sweep, figures), *comparison_points(compared), *count_points(sweep.runs)]


def _control(sweep: Sweep, figures: Figures, out: Path) -> Html:
    axis = main_axis(sweep, figures)
    if sweep.single or len(sweep.evaluated) == 1:
        width = _draw(run_figure(sweep.evaluated[0]), out / CONTROL_PLOT)
        caption = "Requested and measured stroke scale, mean over photos. On the dashed line strokes are as requested."
    else:
        width = _draw(sweep_figure(sweep.evaluated, axis), out / CONTROL_PLOT)
        by = f"Thick: means by {axis}, which has the most effect; t" if axis else "Thick: the mean; t"
        caption = f"{by}hin: single runs. On the dashed line strokes are as requested."
    return plot(CONTROL_PLOT, "control curves: measured against requested stroke scale", caption, width_px=width)


def _heats(sweep: Sweep, figures: Figures, out: Path) -> Html | None:
    if not sweep.factors:
        return None
    axes = heat_axes(sweep, figures)
    heats: list[Heat] = [heat_map(sweep, figure, figures, axes=axes) for figure in HEATS]
    heats = [heat for heat in heats if not math.isnan(heat.ends()[0])]
    if not heats:
        return None
    _draw(heat_figure(heats), out / HEAT_PLOT)
    return heat_section(heats, HEAT_PLOT)


def _training(sweep: Sweep, figures: Figures, out: Path) -> Html | None:
    axis = main_axis(sweep, figures)
    figure = training_figure([run for run in sweep.runs if run.curves], axis)
    if figure is None:
        return None
    width = _draw(figure, out / TRAINING_PLOT)
    caption = "Training loss is smoothed; metrics.csv of a run holds every term."
    if not sweep.single:
        caption += (
            " Losses of runs with other layers or weights are sums of other terms: each tells of its own run alone."
        )
    shown = plot(TRAINING_PLOT, "training curves", caption, width_px=width)
    return tag("section", tag("h2", "Training"), shown, id="training")


def _draw(figure: Figure, path: Path) -> int:
    """How wide the page shows it, in px."""
    with warnings.catch_warnings():  # names in scripts that the font lacks are boxes in the plot, whole on the page
        warnings.filterwarnings("ignore", "Glyph .* missing")
        write_figure(figure, path)
    return round(figure.get_figwidth() * SHOWN_DPI)


def _subtitle(sweep: Sweep) -> str:
    runs: Sequence[Run] = sweep.runs
    if sweep.single:
        return f"one run, {runs[0].painting}" if runs[0].painting else "one run"
    seconds = sum(run.seconds for run in runs if not math.isnan(run.seconds))
    paintings = sorted({run.painting for run in runs if run.painting})
    finished = sum(run.state == FINISHED for run in runs)
    parts = [
        plural(len(runs), "run"),
        f"{finished} finished",
        ", ".join(paintings),
        f"{seconds / 60:.0f} min of training",
    ]
    return " · ".join(part for part in parts if part)
