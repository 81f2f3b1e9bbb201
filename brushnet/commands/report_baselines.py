"""The classic methods for `brushnet report`: painted once for each painting, kept in DIR/report/baselines/."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet import build, images, samples
from brushnet.commands.baseline import CONTENT_LEVEL, STYLE_WEIGHT
from brushnet.commands.progress import Progress
from brushnet.config import Config
from brushnet.errors import BrushnetError, UserError
from brushnet.evaluation.classic import Scene, folder_name, judge_classics
from brushnet.evaluation.judge import Judge
from brushnet.evaluation.request import open_lossnet
from brushnet.measure.meters import DEFAULT_ENCODER, open_meters
from brushnet.report.evaluation_file import plain_name, read_evaluation
from brushnet.report.runs import Evaluation, Sweep
from brushnet.report.write import BASELINES
from brushnet.strokes import Painting

if TYPE_CHECKING:
    from brushnet.losses import LossSpec

log = logging.getLogger(__name__)


def classic_evaluations(sweep: Sweep, configs: Mapping[str, Config], out: Path) -> dict[str, Evaluation]:
    """By painting. What cannot be painted is left out with a warning: the runs themselves are the report."""
    found = {}
    first = {run.painting: run for run in reversed(sweep.evaluated)}
    for painting, run in first.items():
        assert run.evaluation is not None
        try:
            found[painting] = _classics(run.evaluation, configs[run.name], out)
        except (BrushnetError, OSError) as error:
            log.warning("%s: the classic methods are left out: %s", painting, error)
    return found


def classic_spec() -> "LossSpec":
    """What the methods minimise: the default losses, weighted as `brushnet baseline` weights them."""
    return replace(
        build.build_spec(Config()),
        style_weight=STYLE_WEIGHT,
        content_level=CONTENT_LEVEL,
        content_follows_stroke=False,
        spectrum_weight=0.0,
        grid_weight=0.0,
    )


def _classics(evaluation: Evaluation, cfg: Config, out: Path) -> Evaluation:
    """Of the run's first photo that is there. Read where an earlier report has painted them."""
    painting_file, photo_file = samples.resolve(cfg.style.files[0]), _photo(evaluation)
    folder = out / BASELINES / folder_name(painting_file, photo_file, reference_px=cfg.style.reference_px)
    if folder.is_symlink() or folder.parent.is_symlink():
        raise UserError(f"{folder} is a link; a report is written into its own folder alone")
    try:
        return read_evaluation(folder)
    except UserError:  # not yet, or damaged
        pass
    painting = Painting.open(painting_file, reference_px=cfg.style.reference_px)
    spec = build.build_spec(Config())
    judge = Judge(
        painting,
        meters=open_meters([DEFAULT_ENCODER], painting),
        lossnet=open_lossnet(build.JUDGING_LOSSNET, spec),
        spec=spec,
    )
    scene = Scene(images.read(photo_file), photo_file.stem, painting, classic_spec(), judge)
    with Progress("pictures by classic methods") as progress:
        judge_classics(scene, folder, progress=progress.show)
    return read_evaluation(folder)


def _photo(evaluation: Evaluation) -> Path:
    for name in evaluation.photos:
        path = evaluation.folder / plain_name(f"{name}.jpg", "photo")
        if path.is_file():
            return path
    raise UserError(f"{evaluation.folder} holds none of its photos")
