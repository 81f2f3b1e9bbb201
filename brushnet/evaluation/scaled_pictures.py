"""Another system's pictures, named by stroke scale, as a system to evaluate.

A picture's scale stands at the end of its name (`cat_s0.5.png`, as `brushnet stylize --strokes` writes them), or is the
name of a folder that it lies in (`s=0.5/cat.png`, `s0.5/cat.png`, `0.71/cat.jpg`); the rest is the photo's name.
"""

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from brushnet import images
from brushnet.errors import ImageError, UserError
from brushnet.evaluation.request import STEM
from brushnet.evaluation.systems import Opened, Photos, System, Task
from brushnet.inference.plan import SHEET_NAME
from brushnet.measure.control import evenly
from brushnet.model_meta import STROKE_LIMITS

NUMBER = r"(?P<scale>[0-9]+(?:\.[0-9]+)?)"
IN_NAME = re.compile(rf"(?P<photo>.+)_s=?{NUMBER}")
IN_FOLDER = re.compile(rf"(?:s[=_]?)?{NUMBER}")
RULES = "name pictures by their scale: PHOTO_s0.5.png, or in folders s=0.5/PHOTO.png or 0.5/PHOTO.png"


class ScaledPicture(NamedTuple):
    photo: str
    stroke: float
    file: Path


def picture_system(text: str, photos: Photos | None, *, count: int, out: Path | None = None) -> System:
    """From `DIR` or `NAME=DIR`, at most `count` photos of it. UserError where there is nothing to evaluate.

    `out`: where the evaluation is written, which is no part of it.
    """
    name, folder = named_folder(text)
    pictures = scaled_pictures(folder, out=out)
    kept = set(evenly(sorted({picture.photo for picture in pictures}), count))
    pictures = [picture for picture in pictures if picture.photo in kept]
    if not any(_readable(picture.file) for picture in pictures):
        raise UserError(f"--pictures {folder}: none of its {len(pictures)} pictures can be read")
    tasks = [
        Task(picture.photo, (picture.stroke,), partial(_open, picture, photos), picture.file) for picture in pictures
    ]
    return System(name, tasks)


def named_folder(text: str) -> tuple[str, Path]:
    """The name is the folder's own unless one is given; a folder whose own name holds a `=` is that folder."""
    name, equals, folder = text.partition("=")
    if not equals or Path(text).is_dir():
        name, folder = Path(text).resolve().name, text
    if not Path(folder).is_dir():
        raise UserError(f"--pictures {text}: no such folder; give DIR or NAME=DIR")
    if not name:
        raise UserError(f"--pictures {text}: the name is empty; give DIR or NAME=DIR")
    return name, Path(folder)


def scaled_pictures(folder: Path, *, out: Path | None = None) -> list[ScaledPicture]:
    """Every picture below the folder but contact sheets and what was written to `out`, by photo and rising scale.

    UserError names a picture without a scale, and two of one photo and scale.
    """
    found: dict[tuple[str, float], ScaledPicture] = {}
    for file in images.list_images(folder):
        if file.name == SHEET_NAME or (out is not None and _is_written(file, folder, out)):
            continue
        picture = _scaled(file, folder)
        other = found.setdefault((picture.photo, picture.stroke), picture)
        if other is not picture:
            raise UserError(
                f"--pictures {folder}: {other.file} and {file} are both {picture.photo} at scale {picture.stroke:g}"
            )
    if not found:
        raise UserError(f"--pictures {folder}: no pictures in this folder; {RULES}")
    return sorted(found.values())


def _is_written(file: Path, folder: Path, out: Path) -> bool:
    """Anything in an output folder below the pictures' own; where they are one folder, its plots alone."""
    # Not resolve(): that fails for a link that leads to itself.
    file, folder, out = (Path(os.path.realpath(path)) for path in (file, folder, out))
    below = out != folder and out.is_relative_to(folder)
    return (below and file.is_relative_to(out)) or (file.parent == out and file.stem == STEM)


def _scaled(file: Path, folder: Path) -> ScaledPicture:
    parts = list(file.relative_to(folder).with_suffix("").parts)
    tagged = IN_NAME.fullmatch(parts[-1])
    if tagged and (scale := _scale(tagged)):
        return ScaledPicture("/".join([*parts[:-1], tagged["photo"]]), scale, file)
    for place in reversed(range(len(parts) - 1)):  # the nearest folder first
        named = IN_FOLDER.fullmatch(parts[place])
        if named and (scale := _scale(named)):
            return ScaledPicture("/".join(parts[:place] + parts[place + 1 :]), scale, file)
    low, high = STROKE_LIMITS
    raise UserError(f"--pictures {folder}: {file} tells no stroke scale from {low:g} to {high:g}; {RULES}")


def _scale(match: re.Match[str]) -> float | None:
    scale = float(match["scale"])
    return scale if STROKE_LIMITS[0] <= scale <= STROKE_LIMITS[1] else None


def _readable(file: Path) -> bool:
    try:
        images.read_uint8(file)
    except (ImageError, UserError):
        return False
    return True


def _open(picture: ScaledPicture, photos: Photos | None) -> Opened:
    painted = images.read(picture.file)
    file = photos.find(picture.photo) if photos else None
    return Opened(_fitted(file, painted) if file else None, lambda stroke: painted)


def _fitted(file: Path, picture_13HW: Tensor) -> Tensor:
    return images.resize(images.read(file), *picture_13HW.shape[-2:])


def strokes_of(systems: Sequence[System]) -> list[float]:
    """Every scale that any of them is asked for, rising."""
    return sorted({stroke for system in systems for task in system.tasks for stroke in task.strokes})
