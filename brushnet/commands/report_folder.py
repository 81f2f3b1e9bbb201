"""The folder that `brushnet report` is given: a sweep, any folder of runs, or one run, opened as plain values."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from brushnet.commands.alone import alone_in
from brushnet.config import Config
from brushnet.config.saved import command_of, load_run
from brushnet.config.schema import options
from brushnet.errors import UserError
from brushnet.report.axes import axes_of
from brushnet.report.run_folder import MODEL, End, open_run
from brushnet.report.runs import DAMAGED, FINISHED, Run, Sweep
from brushnet.sweeps import outcome, record

log = logging.getLogger(__name__)

REPORT = "report"  # in the folder: no run
KILLED = "killed: its process is gone"
_LOG = "train.log"


def open_folder(folder: Path) -> tuple[Sweep, dict[str, Config]]:
    """The sweep, not yet measured, and the configurations by run. UserError where there is no run in the folder."""
    if not folder.is_dir():
        raise UserError(f"DIR must be the folder of a run or of a sweep, got {folder}, which {_what(folder)}")
    if _is_run(folder) and not record.holds_sweep(folder):
        configs, causes = _configurations([folder])
        run = _open(folder, configs, causes, values={})
        return Sweep(folder=folder, runs=[run], told=_told(folder, run), single=True), configs
    swept = _record(folder)
    names = {job.name for job in swept.jobs} if swept else set()
    folders = sorted(each for each in folder.iterdir() if each.name != REPORT and each.is_dir() and _is_run(each))
    missing = [folder / name for name in sorted(names - {each.name for each in folders})]
    if not folders:
        raise UserError(f"DIR must be the folder of a run or of a sweep, got {folder}, which holds no run")
    configs, causes = _configurations(folders)
    axes, values = axes_of({name: plain_options(cfg) for name, cfg in configs.items()})
    if swept:
        axes = {key: list(each) for key, each in swept.axes.items()}
        values = {job.name: dict(job.values) for job in swept.jobs}
        folders = [each for each in folders if each.name in names]  # others were never part of it
    runs = [_open(each, configs, causes, values=values.get(each.name, {})) for each in [*folders, *missing]]
    runs.sort(key=lambda run: [_place(run.values.get(axis), known) for axis, known in axes.items()])
    told = {"command": swept.command, "began": swept.began, "launcher": swept.launcher,
            "seed of the sweep": str(swept.seed)} if swept else {}  # fmt: skip
    return Sweep(folder=folder, runs=runs, axes=axes, told=told), configs


def plain_options(cfg: Config) -> dict[str, str]:
    """By full key, as text: what a person would type, near enough."""
    return {key: _shown(value) for key, _, value in options(cfg)}


def _open(folder: Path, configs: Mapping[str, Config], causes: Mapping[str, str], *, values: Mapping[str, str]) -> Run:
    cfg = configs.get(folder.name)
    end = _end(folder)
    if end.state == FINISHED and folder.name in causes:  # one that failed early may have saved none
        end = End(DAMAGED, causes[folder.name])
    return open_run(folder, options=plain_options(cfg) if cfg else {}, values=values, end=end)


def _end(folder: Path) -> End:
    """How the run ended. A plain run has no job.json: it is finished where it saved its model."""
    if not folder.is_dir():
        return End("not started")
    job = outcome.read(folder)
    if job is None and (folder / outcome.FILE).exists():
        return End(DAMAGED, f"{outcome.FILE} is damaged")
    if job is not None and job.state != outcome.RUNNING:
        return End(job.state, " ".join(job.cause.split()), job.seconds)
    if job is None and (folder / MODEL).is_file():
        return End(FINISHED)
    if _in_use(folder):
        return End("running", "still training")
    return End("unfinished", KILLED if job else f"it saved no {MODEL}")


def _in_use(folder: Path) -> bool:
    if not (folder / _LOG).is_file():  # asking would make one
        return False
    try:
        with alone_in(folder, log_name=_LOG):
            return False
    except (UserError, OSError):
        return True


def _configurations(folders: list[Path]) -> tuple[dict[str, Config], dict[str, str]]:
    """By run's name; and for those that cannot be read the cause."""
    configs, causes = {}, {}
    for folder in folders:
        try:
            configs[folder.name] = load_run(folder)
        except (UserError, OSError) as error:
            text = " ".join(str(error).split()).replace(f"{folder}/", "")
            causes[folder.name] = text if (folder / "config.yaml").is_file() else "it has no config.yaml"
    return configs, causes


def _place(value: str | None, known: list[str]) -> int:
    return known.index(value) if value in known else len(known)


def _record(folder: Path) -> record.Sweep | None:
    """A damaged record costs the axes' names and order, not the report."""
    if not record.holds_sweep(folder):
        return None
    try:
        return record.read(folder)
    except UserError as error:
        log.warning("%s; reported as a folder of runs", error)
        return None


def _told(folder: Path, run: Run) -> dict[str, str]:
    command = run.command or ((command_of(folder) or "") if (folder / "config.yaml").is_file() else "")
    return {"command": command} if command else {}


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("config.yaml", MODEL, outcome.FILE))


def _what(folder: Path) -> str:
    return "is a file" if folder.exists() else "does not exist"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value)
    if hasattr(value, "weight"):  # a layer
        name, weight = getattr(value, "name"), getattr(value, "weight")  # noqa: B009
        return f"{name}" if weight == 1 else f"{name} x {weight:g}"
    return value if isinstance(value, str) else json.dumps(value)
