"""The classic methods beside trained runs: the same photo and painting, the same judge, few iterations.

What they paint is kept with the figures: a second report of the same pictures need not paint them again. The file is
of the form that a run's evaluation has, each row with its method as `system`.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from brushnet import __version__, images
from brushnet.baselines import features, moments, pyramid
from brushnet.evaluation.judge import CONTENT, PALETTE, SSIM, STYLE, Judge
from brushnet.evaluation.records import without_nan
from brushnet.files import write_whole
from brushnet.inference.scales import labels
from brushnet.losses import LossSpec
from brushnet.measure.control import DISTANCE, MATCHED
from brushnet.strokes import Painting

FORMAT, FILE = 1, "evaluation.json"
MODE = "classic"  # where a run's evaluation has its stroke mode
SCALES = (0.5, 1.0, 2.0)
ITERATIONS = {
    "moments": 60,
    "pyramid": 30,
    "features": 90,
}  # about a minute for all on two cores; of `pyramid` a scale
QUALITY = 90
_FIGURES = (STYLE, CONTENT, SSIM, PALETTE)
_KEY_CHARS = 10

Progress = Callable[[int, int, str], None]  # pictures painted, in all, the method
Paint = Callable[[], Tensor]


@dataclass(frozen=True)
class Scene:
    """One photo (1, 3, H, W) and what it is painted after; `spec` is what the methods minimise."""

    photo: Tensor
    photo_name: str
    painting: Painting
    spec: LossSpec
    judge: Judge


def folder_name(painting_file: Path, photo_file: Path, *, reference_px: int) -> str:
    """Of the pictures' bytes and whatever else decides what is painted."""
    digest = hashlib.blake2b(repr((__version__, FORMAT, SCALES, ITERATIONS, reference_px)).encode())
    for file in (painting_file, photo_file):
        digest.update(file.read_bytes())
    plain = re.sub(r"[^\w-]+", "_", painting_file.stem).strip("_") or "painting"
    return f"{plain[:40]}-{digest.hexdigest()[:_KEY_CHARS]}"


def judge_classics(scene: Scene, out: Path, *, progress: Progress | None = None) -> None:
    """Paints by each method at each of SCALES and writes pictures and figures into `out`, the figures last."""
    rows = []
    painted: dict[str, tuple[Tensor, float]] = {}  # by the picture's file: `moments` paints one for all scales
    tasks = _tasks(scene)
    for done, (method, scale, file, paint) in enumerate(tasks):
        if progress:
            progress(done, len(tasks), method)
        if file not in painted:
            started = time.perf_counter()
            picture = paint()
            painted[file] = picture, time.perf_counter() - started
            images.write(picture, out / file, quality=QUALITY)
        picture, seconds = painted[file]
        rows.append(_row(scene, method, scale, file, picture, seconds))
    if progress:
        progress(len(tasks), len(tasks), "")
    text = json.dumps(without_nan(_content(scene, rows)), indent=1, allow_nan=False)
    write_whole(out / FILE, f"{text}\n".encode(), flushed=False)


def _tasks(scene: Scene) -> list[tuple[str, float, str, Paint]]:
    """Method, scale that it is judged at, picture file, what paints it."""
    names = labels(SCALES)
    tasks: list[tuple[str, float, str, Paint]] = []
    for scale in SCALES:
        tasks.append(("moments", scale, "moments.jpg", partial(_moments, scene, scene.photo, "moments")))
    for scale, label in zip(SCALES, names, strict=True):
        tasks.append(("pyramid", scale, f"pyramid_s{label}.jpg", partial(_pyramid, scene, scale)))
    for scale, label in zip(SCALES, names, strict=True):
        tasks.append(("features", scale, f"features_s{label}.jpg", partial(_features, scene, scale)))
    return tasks


def _moments(scene: Scene, photo_13HW: Tensor, method: str) -> Tensor:
    return moments.transfer(
        photo_13HW,
        scene.painting.render(1.0),
        lossnet=scene.judge.lossnet,
        layers=list(scene.spec.style_layers),
        iterations=ITERATIONS[method],
    )


def _pyramid(scene: Scene, scale: float) -> Tensor:
    """At this scale alone: what it can do when it is asked for one."""
    return pyramid.paint_scales(scene.photo, {scale: 1.0}, lambda photo: _moments(scene, photo, "pyramid"))


def _features(scene: Scene, scale: float) -> Tensor:
    return features.paint(
        scene.photo,
        scene.painting,
        stroke=scale,
        lossnet=scene.judge.lossnet,
        spec=scene.spec,
        iterations=ITERATIONS["features"],
        seed=0,
    )


def _row(scene: Scene, method: str, scale: float, file: str, picture: Tensor, seconds: float) -> dict[str, Any]:
    figures = scene.judge(picture, scene.photo, scale)
    encoder = scene.judge.meters[0].name
    return {
        "system": method,
        "photo": scene.photo_name,
        "stroke": scale,
        "seen": True,
        "matched_octaves": figures[f"{MATCHED}/{encoder}"],
        "match_distance": figures[f"{DISTANCE}/{encoder}"],
        **{figure: figures[figure] for figure in _FIGURES},
        "picture": file,
        "seconds": round(seconds, 2),
    }


def _content(scene: Scene, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "brushnet": __version__,
        "painting": scene.painting.name,
        "size_px": min(scene.photo.shape[-2:]),
        "encoder": scene.judge.meters[0].name,
        "lossnet": scene.judge.lossnet.name,
        "stroke_mode": MODE,
        "trained_range": [SCALES[0], SCALES[-1]],
        "iterations": ITERATIONS,
        "rows": list(rows),
        "summary": {},
    }
