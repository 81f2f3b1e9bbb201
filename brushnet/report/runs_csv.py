"""`runs.csv`: a row for each run, failed ones too; what the page's table shows, with all digits."""

import csv
import io
import math
from collections.abc import Mapping

from brushnet.report.effects import Figures
from brushnet.report.figures import FIGURES
from brushnet.report.runs import Run, Sweep


def runs_csv(sweep: Sweep, figures: Figures, front: set[str]) -> str:
    rows = [_row(run, sweep, figures[run.name], front) for run in sweep.runs]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(run: Run, sweep: Sweep, figures: Mapping[str, float], front: set[str]) -> dict[str, str]:
    measured = run.evaluation.summary if run.evaluation else {}
    names = sorted({name for each in sweep.evaluated if each.evaluation for name in each.evaluation.summary})
    return {
        "name": run.name,
        "state": run.state,
        "cause": run.cause,
        **{axis: run.values.get(axis, "") for axis in sweep.axes},
        "seed": run.seed,
        "painting": run.painting,
        **{figure.key: _text(figures[figure.key]) for figure in FIGURES},
        "pareto_front": "yes" if run.name in front else "",
        "steps": "" if run.steps is None else str(run.steps),
        "device": run.device,
        # All that the evaluation summed up, under names that no figure above has.
        **{f"summary/{name}": _text(measured.get(name, math.nan)) for name in names},
    }


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
