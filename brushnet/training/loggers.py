"""Experiment loggers beside `metrics.csv`: the one place where wandb and TensorBoard are touched."""

import importlib.util
import logging
import netrc
import os
from pathlib import Path
from typing import Any

from torch import Tensor

from brushnet.errors import UserError

log = logging.getLogger(__name__)

EXTRAS = {"wandb": "wandb", "tensorboard": "tensorboard"}  # logger kind -> package and extra
INIT_TIMEOUT_SECONDS = 20.0


def check_logger(kind: str) -> None:
    """UserError names the extra that is not installed."""
    package = EXTRAS.get(kind)
    if package is not None and importlib.util.find_spec(package) is None:
        raise UserError(f"logger.kind={kind} needs the package {package}: pip install 'brushnet[{package}]'")


def open_loggers(kind: str, out_dir: Path, *, project: str, name: str) -> list[Any]:
    """Lightning loggers of a kind; none for `csv`, which is always on."""
    if kind == "wandb":
        return [_wandb(out_dir, project=project, name=name)]
    if kind == "tensorboard":
        from pytorch_lightning.loggers import TensorBoardLogger

        return [TensorBoardLogger(out_dir, name="tensorboard", version="")]
    return []


def log_picture(logger: Any, path: Path, picture_13HW: Tensor, *, step: int) -> None:
    """Shows a written picture in a logger that can."""
    match type(logger).__name__:
        case "WandbLogger":
            logger.log_image("samples", [str(path)], step=step)
        case "TensorBoardLogger":
            logger.experiment.add_image("samples", picture_13HW[0], step)


def _wandb(out_dir: Path, *, project: str, name: str) -> Any:
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    # Without a login wandb prompts on a terminal, and fails elsewhere: then the run is kept locally, to sync later.
    if "WANDB_MODE" not in os.environ and not _wandb_login():
        os.environ["WANDB_MODE"] = "offline"
        log.info("wandb: no login found, logging offline; `wandb sync %s` sends it later", out_dir / "wandb")
    os.environ.setdefault("WANDB_SILENT", "true")
    settings = wandb.Settings(init_timeout=INIT_TIMEOUT_SECONDS)
    logger = WandbLogger(name=name, project=project, save_dir=out_dir, settings=settings)
    try:
        _ = logger.experiment  # logs in
    except wandb.errors.Error as err:
        os.environ["WANDB_MODE"] = "offline"
        log.warning("wandb cannot be reached, logging offline: %s", (str(err).splitlines() or [""])[0])
        logger = WandbLogger(name=name, project=project, save_dir=out_dir, settings=settings)
    return logger


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
