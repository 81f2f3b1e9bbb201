"""Experiment loggers beside `metrics.csv`: the one place where wandb and TensorBoard are touched.

A resumed run goes on where its checkpoint was: TensorBoard hides what was logged after it, wandb continues the same run
by its id, and by our step numbers it takes no point twice.
"""

import importlib.util
import logging
import netrc
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import Tensor

from brushnet import images
from brushnet.errors import UserError
from brushnet.files import write_whole

log = logging.getLogger(__name__)

EXTRAS = {"wandb": "wandb", "tensorboard": "tensorboard"}  # logger kind -> package and extra
INIT_TIMEOUT_SECONDS = 20.0
RUN_ID_FILE = Path("wandb", "run_id.txt")  # in the run's folder
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_logger(kind: str) -> None:
    """UserError names the extra that is not installed."""
    package = EXTRAS.get(kind)
    if package is not None and importlib.util.find_spec(package) is None:
        raise UserError(f"logger.kind={kind} needs the package {package}: pip install 'brushnet[{package}]'")


def open_loggers(
    kind: str,
    out_dir: Path,
    *,
    project: str,
    name: str,
    group: str | None = None,
    config: Mapping[str, Any] | None = None,
    from_step: int | None,
) -> list["ExtraLogger"]:
    """Lightning loggers of a kind; none for `csv`, which is always on. `from_step` is that of a resumed checkpoint.

    `config` is shown by wandb beside the run: it leaves this machine.
    """
    if kind == "wandb":
        return [_Wandb(_wandb(out_dir, project=project, name=name, group=group, config=dict(config or {})), kind)]
    if kind == "tensorboard":
        from pytorch_lightning.loggers import TensorBoardLogger

        purged: dict[str, Any] = {} if from_step is None else {"purge_step": from_step + 1}
        return [_TensorBoard(TensorBoardLogger(out_dir, name="tensorboard", version="", **purged), kind)]
    return []


class Evaluated(NamedTuple):
    """What a trained run is judged by: figures by name, a row for each picture, plots and sheets as files."""

    figures: Mapping[str, float]
    rows: Sequence[Mapping[str, Any]]
    pictures: Mapping[str, Path]


class ExtraLogger(Logger):
    """One whose failure does not end the training: it is said once, and `metrics.csv` goes on alone."""

    def __init__(self, inner: Any, kind: str):
        super().__init__()
        self.inner, self.kind = inner, kind
        self.failed = False

    @property
    def name(self) -> str:
        return self.kind

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The run's configuration lies beside it."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._attempt(lambda: self._log(metrics, step or 0))

    @rank_zero_only
    def log_picture(self, path: Path, picture_13HW: Tensor, *, step: int) -> None:
        """Shows a picture that was written to `path`."""
        self._attempt(lambda: self._show(path, picture_13HW, step))

    @rank_zero_only
    def log_evaluation(self, found: "Evaluated", *, step: int) -> None:
        self._attempt(lambda: self._evaluated(found, step))

    @rank_zero_only
    def save(self) -> None:
        self._attempt(self.inner.save)

    @rank_zero_only
    def close(self) -> None:
        self._attempt(self._close)

    def _attempt(self, act: Callable[[], None]) -> None:
        if self.failed:
            return
        try:
            act()
        except Exception as error:  # whatever kind: a server, a full disk, a bug of another package
            self.failed = True
            reason = (str(error).splitlines() or [""])[0] or type(error).__name__
            log.warning("logger.kind=%s failed and is left out from now on; metrics.csv goes on: %s", self.kind, reason)

    def _log(self, metrics: dict[str, float], step: int) -> None:
        raise NotImplementedError

    def _show(self, path: Path, picture_13HW: Tensor, step: int) -> None:
        raise NotImplementedError

    def _evaluated(self, found: "Evaluated", step: int) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError


class _TensorBoard(ExtraLogger):
    def _log(self, metrics: dict[str, float], step: int) -> None:
        self.inner.log_metrics(metrics, step)

    def _show(self, path: Path, picture_13HW: Tensor, step: int) -> None:
        self.inner.experiment.add_image("samples", picture_13HW[0], step)

    def _evaluated(self, found: "Evaluated", step: int) -> None:
        self.inner.log_metrics({f"evaluation/{name}": value for name, value in found.figures.items()}, step)
        for name, path in found.pictures.items():
            self.inner.experiment.add_image(f"evaluation/{name}", images.read(path)[0], step)
        self.inner.experiment.add_text("evaluation/rows", _markdown(found.rows), step)

    def _close(self) -> None:
        self.inner.experiment.close()


class _Wandb(ExtraLogger):
    """Steps are told as wandb's own: its server ignores one that it has, and parts kept offline join."""

    def _log(self, metrics: dict[str, float], step: int) -> None:
        self.inner.experiment.log({**metrics, "trainer/global_step": step}, step=step)

    def _show(self, path: Path, picture_13HW: Tensor, step: int) -> None:
        import wandb

        self.inner.experiment.log({"samples": [wandb.Image(str(path))]}, step=step)

    def _evaluated(self, found: "Evaluated", step: int) -> None:
        import wandb

        columns: list[Any] = list(found.rows[0])
        shown: dict[str, Any] = {f"evaluation/{name}": value for name, value in found.figures.items()}
        shown |= {f"evaluation/{name}": wandb.Image(str(path)) for name, path in found.pictures.items()}
        shown["evaluation/rows"] = wandb.Table(columns=columns, data=[list(row.values()) for row in found.rows])
        self.inner.experiment.log(shown, step=step + 1)  # of `step` the server has a row already, and drops another

    def _close(self) -> None:
        self.inner.experiment.finish()


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _wandb(out_dir: Path, *, project: str, name: str, group: str | None, config: dict[str, Any]) -> Any:
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    # Without a login wandb prompts on a terminal, and fails elsewhere: then the run is kept locally, to sync later.
    if "WANDB_MODE" not in os.environ and not _wandb_login():
        os.environ["WANDB_MODE"] = "offline"
        log.info("wandb: no login found, logging offline; `wandb sync %s` sends it later", out_dir / "wandb")
    os.environ.setdefault("WANDB_SILENT", "true")
    settings = wandb.Settings(init_timeout=INIT_TIMEOUT_SECONDS)
    made: dict[str, Any] = {
        "name": name,
        "project": project,
        "group": group,
        "config": config,
        "save_dir": out_dir,
        "settings": settings,
    }
    run_id = _saved_id(out_dir / RUN_ID_FILE)
    logger = WandbLogger(**made, id=run_id)
    try:
        _ = logger.experiment  # logs in
    except wandb.errors.Error as err:
        os.environ["WANDB_MODE"] = "offline"
        log.warning("wandb cannot be reached, logging offline: %s", (str(err).splitlines() or [""])[0])
        logger = WandbLogger(**made, id=run_id)
    if getattr(rank_zero_only, "rank", 0) == 0 and run_id is None and RUN_ID.fullmatch(str(logger.experiment.id)):
        write_whole(out_dir / RUN_ID_FILE, str(logger.experiment.id).encode())
    return logger


def _saved_id(path: Path) -> str | None:
    """wandb's id of the run in this folder; None where it has none yet. A folder may be somebody else's: checked."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        found = file.read(100).decode("ascii", "replace").strip()
    if RUN_ID.fullmatch(found):
        return found
    log.warning("%s holds no id of wandb; another run is begun there", path)
    return None


def _wandb_login() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    home = Path.home()
    files = [Path(os.environ["NETRC"])] if "NETRC" in os.environ else [home / ".netrc", home / "_netrc"]
    for file in files:
        try:
            return any("wandb" in host for host in netrc.netrc(file).hosts)
        except (OSError, netrc.NetrcParseError):
            continue
    return False
