"""What will be read and written where. Everything that can be refused is refused here, before the first picture."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os.path import realpath  # pathlib's resolve() fails for a link that leads to itself
from pathlib import Path

from brushnet import images
from brushnet.errors import UserError

SHEET_NAME = "sheet.jpg"


@dataclass(frozen=True)
class Job:
    """One photo and the picture to write for each stroke scale."""

    photo: Path
    outputs: tuple[Path, ...]


@dataclass(frozen=True)
class Plan:
    jobs: list[Job]
    sheet: Path | None

    @property
    def outputs(self) -> list[Path]:
        """Every file that will be written."""
        return [path for job in self.jobs for path in job.outputs] + ([self.sheet] if self.sheet else [])


def plan(
    inputs: Sequence[Path],
    out: Path,
    *,
    scale_labels: Sequence[str],
    force: bool,
    check_photo: Callable[[Path], None] = lambda photo: None,
    also_read: Sequence[Path] = (),
) -> Plan:
    """`scale_labels` go into the file names when there are several; then there is a contact sheet too.

    `out` with a picture suffix is a file, anything else a folder, in which input folders keep their structure.
    `check_photo` may refuse a photo (UserError) before the folder is made. `also_read`, a stroke map, is no more
    overwritten than a photo.
    """
    check_kind(out)
    made = _file_plan(inputs, out, scale_labels) if is_picture(out) else _folder_plan(inputs, out, scale_labels)
    for job in made.jobs:
        check_photo(job.photo)
    check_outputs(made.outputs, out, inputs=[*(job.photo for job in made.jobs), *also_read], force=force)
    return made


def is_picture(path: Path) -> bool:
    """Whether `-o` names a picture; anything but a picture's suffix names a folder."""
    return path.suffix.lower() in images.SUFFIXES


def check_kind(out: Path) -> None:
    """UserError where `-o` names a picture that cannot be written, or a folder where a file is, or the other way."""
    if not is_picture(out):
        if out.exists() and not out.is_dir():
            raise UserError(f"-o {out}: a file; give a folder, or a picture with one of {', '.join(images.WRITABLE)}")
        return
    if out.suffix.lower() not in images.WRITABLE:
        raise UserError(
            f"-o {out}: {out.suffix} cannot be written, allowed are {', '.join(images.WRITABLE)}, or a folder"
        )
    if out.is_dir():
        raise UserError(f"-o {out}: a folder with the suffix of a picture; give it another name, or the file in it")


def check_outputs(outputs: Sequence[Path], out: Path, *, inputs: Sequence[Path], force: bool) -> None:
    """UserError where an input, or without `force` anything else, would be overwritten, or nothing can be written."""
    _refuse_overwriting(outputs, out, {realpath(path) for path in inputs}, force=force)
    _check_writable(out.parent if is_picture(out) else out)


def _file_plan(inputs: Sequence[Path], out: Path, scale_labels: Sequence[str]) -> Plan:
    for path in inputs:
        _check_exists(path)
    if len(inputs) > 1 or inputs[0].is_dir():
        raise UserError(f"-o {out} is one picture, but the input is a folder or several files; give -o a folder")
    if len(scale_labels) > 1:
        raise UserError(f"-o {out} is one picture, but --strokes asks for {len(scale_labels)}; give -o a folder")
    return Plan([Job(inputs[0], (out,))], sheet=None)


def _folder_plan(inputs: Sequence[Path], out: Path, scale_labels: Sequence[str]) -> Plan:
    tags = [f"_s{label}" for label in scale_labels] if len(scale_labels) > 1 else [""]
    taken: set[Path] = set()
    jobs = []
    for photo, relative in _photos(inputs, out):
        targets = _free_names(out / relative, tags, taken)
        taken.update(targets)
        jobs.append(Job(photo, targets))
    return Plan(jobs, sheet=out / SHEET_NAME if len(scale_labels) > 1 else None)


def _photos(inputs: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Each photo and its place below `out`; one that is given twice comes once."""
    found: dict[str, tuple[Path, Path]] = {}
    for path in inputs:
        _check_exists(path)
        listed = _in_folder(path, out) if path.is_dir() else [path]
        for photo in listed:
            relative = photo.relative_to(path) if path.is_dir() else Path(photo.name)
            found.setdefault(realpath(photo), (photo, relative))
    return list(found.values())


def _in_folder(folder: Path, out: Path) -> list[Path]:
    real_folder, real_out = Path(realpath(folder)), Path(realpath(out))
    if real_folder == real_out:
        raise UserError(f"-o {out} is the input folder itself; choose another")
    photos = images.list_images(folder)
    if real_folder in real_out.parents:  # what an earlier run wrote below the input is not painted again
        photos = [path for path in photos if real_out not in Path(realpath(path)).parents]
    if not photos:
        raise UserError(f"{folder}: no pictures in this folder (looked for {', '.join(images.SUFFIXES)})")
    return photos


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise UserError(f"input not found: {path}; give pictures or folders")


def _free_names(target: Path, tags: Sequence[str], taken: set[Path]) -> tuple[Path, ...]:
    """`a.jpg` of two folders, or `a.bmp` beside `a.png` (BMP is not written), would meet: later ones get a number."""
    suffix = target.suffix if target.suffix.lower() in images.WRITABLE else ".png"
    number = 1
    while True:
        stem = target.stem if number == 1 else f"{target.stem}-{number}"
        names = tuple(target.with_name(f"{stem}{tag}{suffix}") for tag in tags)
        if taken.isdisjoint(names):
            return names
        number += 1


def _refuse_overwriting(outputs: Sequence[Path], out: Path, inputs: set[str], *, force: bool) -> None:
    for path in outputs:
        if realpath(path) in inputs:
            raise UserError(f"-o {out} would overwrite the input {path}; choose another")
    existing = [path for path in outputs if os.path.exists(path)]  # pathlib's fails where a name is too long
    if existing and not force:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise UserError(f"{existing[0]}{more} would be overwritten; pass --force to allow it, or choose another -o")


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"-o {folder} cannot be written to: {error.strerror}") from error
