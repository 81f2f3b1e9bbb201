"""`brushnet report`: what a sweep, or a run, came to: one page of tables, plots and pictures, from files alone."""

import argparse
import json
import logging
import math
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from brushnet import __version__
from brushnet.commands.parser import Parser
from brushnet.commands.progress import Progress
from brushnet.commands.report_folder import REPORT, open_folder
from brushnet.commands.terminal import printable
from brushnet.config import Config
from brushnet.errors import BrushnetError, UserError
from brushnet.report.run_folder import has_evaluation, measured
from brushnet.report.runs import FINISHED, Run, Sweep

_EPILOG = """writes DIR/report: index.html, runs.csv, plots and pictures; an earlier report there is replaced.
Runs that failed or are damaged are listed with the cause.

brushnet report runs/my-sweep
brushnet report runs/painting --json"""


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = _EPILOG
    parser.add_argument("folder", metavar="DIR", help="folder of a run or of a sweep")
    parser.add_argument("--no-baselines", action="store_true",
                        help="leave out the classic methods, which take a minute for each painting")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the figures of all runs, to standard output too")


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(format="brushnet: %(message)s", level=logging.INFO, stream=sys.stderr)
    folder = Path(args.folder)
    sweep, configs = open_folder(folder)
    if not any(each.state == FINISHED for each in sweep.runs):
        raise UserError(f"DIR {folder}: no run in it has finished; {_causes(sweep)}")
    from brushnet.report.write import check_out, write_report  # torch, seconds

    check_out(folder / REPORT)
    sweep = _measured(sweep, configs)
    if not sweep.evaluated:
        raise UserError(f"DIR {folder}: no run in it could be measured; {_causes(sweep)}")
    classics = {}
    if not args.no_baselines:
        from brushnet.commands.report_baselines import classic_evaluations

        classics = classic_evaluations(sweep, configs, folder / REPORT)
    page = write_report(sweep, folder / REPORT, versions=versions(), classics=classics)
    for each in sweep.runs:
        if each.evaluation is None:
            print(printable(f"left out: {each.name}: {each.state}{f' ({each.cause})' if each.cause else ''}"),
                  file=sys.stderr)  # fmt: skip
    print(printable(f"written: {page}"), file=sys.stderr)
    if args.json:
        print(json.dumps(as_dict(sweep), indent=2, allow_nan=False))
    return 0


def versions() -> dict[str, str]:
    """Of what made the report; what trained is in each run."""
    import torch

    return {
        "report by brushnet": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def as_dict(sweep: Sweep) -> dict[str, Any]:
    """Summary figures for other programs; null where nothing was measured."""
    from brushnet.report.figures import figures_of
    from brushnet.report.pareto import front

    figures = {each.name: figures_of(each) for each in sweep.runs}
    on_front = front(sweep.evaluated, figures)
    return {
        "folder": str(sweep.folder),
        "axes": {key: list(values) for key, values in sweep.axes.items()},
        "runs": [
            {
                "name": each.name,
                "state": each.state,
                "cause": each.cause,
                "values": dict(each.values),
                "painting": each.painting,
                "seed": each.seed,
                "pareto_front": each.name in on_front,
                **{key: None if math.isnan(value) else value for key, value in figures[each.name].items()},
            }
            for each in sweep.runs
        ],
    }


def _measured(sweep: Sweep, configs: dict[str, Config]) -> Sweep:
    """With what was measured of each finished run; those that were not yet are now."""
    lacking = [each for each in sweep.runs if each.state == FINISHED and not has_evaluation(each)]
    causes = _evaluate(lacking, configs) if lacking else {}
    runs = [replace(each, cause=causes[each.name]) if each.name in causes else measured(each) for each in sweep.runs]
    return replace(sweep, runs=runs)


def _evaluate(runs: list[Run], configs: dict[str, Config]) -> dict[str, str]:
    """Why runs could not be evaluated, by name."""
    causes = {}
    for place, each in enumerate(runs):
        try:
            _evaluate_one(each, configs[each.name], f"{each.name} ({place + 1} of {len(runs)})")
        except (BrushnetError, OSError) as error:
            causes[each.name] = f"cannot be evaluated: {error}"
    return causes


def _evaluate_one(run: Run, cfg: Config, text: str) -> None:
    from brushnet import build  # Lightning, seconds

    with Progress("pictures") as progress:
        build.evaluate_run(cfg, run.folder, progress=lambda done, total: progress.show(done, total, text))


def _causes(sweep: Sweep) -> str:
    from brushnet.report.words import count_points

    return "; ".join(point.text for point in count_points(sweep.runs))
