"""What will be read and written where. Everything that can be refused is refused here, before the first picture."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os.path import realpath
from pathlib import Path

from brushnet import images
from brushnet.errors import UserError
from brushnet.inference.contact_sheet import is_ours
from brushnet.inference.inputs import find_photos, is_pattern
from brushnet.inference.writable import check_writable

SHEET_NAME = "sheet.jpg"


@dataclass(frozen=True)
class Job:
    """One photo and the picture for each stroke scale; `there` are those of an earlier run, which stay."""

    photo: Path
    outputs: tuple[Path, ...]
    there: frozenset[Path] = frozenset()

    @property
    def missing(self) -> tuple[Path, ...]:
        return tuple(path for path in self.outputs if path not in self.there)

    @property
    def name(self) -> str:
        """For what is to be said of it."""
        return str(self.photo)


@dataclass(frozen=True)
class Plan:
    """`unreadable`: folders that could not be looked into, with the cause."""

    jobs: list[Job]
    sheet: Path | None
    unreadable: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def outputs(self) -> list[Path]:
        """Every file that will be written."""
        return [path for job in self.jobs for path in job.missing] + ([self.sheet] if self.sheet else [])


def plan(
    inputs: Sequence[Path],
    out: Path,
    *,
    scale_labels: Sequence[str],
    force: bool,
    suffix: str | None = None,
    check_photo: Callable[[Path], None] = lambda photo: None,
    also_read: Sequence[Path] = (),
) -> Plan:
    """`scale_labels` go into the file names when there are several; then there is a contact sheet too.

    `out` with a picture suffix is a file, anything else a folder, in which input folders keep their structure and the
    pictures of an earlier run stay, unless `force`. `suffix` is that of all pictures in it; by default each keeps its
    photo's. `check_photo` may refuse a photo (UserError) before the folder is made. `also_read`, a stroke map, is no
    more overwritten than a photo.
    """
    check_kind(out)
    made = (
        _file_plan(inputs, out, scale_labels, force=force)
        if is_picture(out)
        else _folder_plan(inputs, out, scale_labels, suffix, force=force)
    )
    for job in made.jobs:
        if job.missing:
            check_photo(job.photo)
    _refuse_overwriting_inputs(made, out, [*(job.photo for job in made.jobs), *also_read])
    check_writable(out.parent if is_picture(out) else out)
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
    _refuse_inputs(outputs, out, {realpath(path) for path in inputs})
    if not force:
        refuse_overwriting(outputs)
    check_writable(out.parent if is_picture(out) else out)


def refuse_overwriting(outputs: Sequence[Path]) -> None:
    existing = [path for path in outputs if os.path.exists(path)]  # pathlib's fails where a name is too long
    if existing:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise UserError(f"{existing[0]}{more} would be overwritten; pass --force to allow it, or choose another -o")


def _file_plan(inputs: Sequence[Path], out: Path, scale_labels: Sequence[str], *, force: bool) -> Plan:
    if len(inputs) > 1 or inputs[0].is_dir() or is_pattern(inputs[0]):
        raise UserError(f"-o {out} is one picture, but the input is a folder or several files; give -o a folder")
    photo, _ = find_photos(inputs, out).photos[0]
    if len(scale_labels) > 1:
        raise UserError(f"-o {out} is one picture, but --strokes asks for {len(scale_labels)}; give -o a folder")
    if realpath(photo) != realpath(out) and not force:
        refuse_overwriting([out])
    return Plan([Job(photo, (out,))], sheet=None)


def _folder_plan(
    inputs: Sequence[Path], out: Path, scale_labels: Sequence[str], suffix: str | None, *, force: bool
) -> Plan:
    tags = [f"_s{label}" for label in scale_labels] if len(scale_labels) > 1 else [""]
    found = find_photos(inputs, out)
    taken: set[Path] = set()
    jobs = []
    for photo, place in found.photos:
        targets = _free_names(out / place, tags, taken, suffix)
        taken.update(targets)
        there = frozenset() if force else frozenset(path for path in targets if os.path.isfile(path))
        jobs.append(Job(photo, targets, there))
    return Plan(jobs, _sheet(out, jobs, force=force) if len(scale_labels) > 1 else None, found.unreadable)


def _sheet(out: Path, jobs: Sequence[Job], *, force: bool) -> Path | None:
    """None where it is there, and all pictures are."""
    sheet = out / SHEET_NAME
    if not force and os.path.lexists(sheet):
        if not is_ours(sheet):
            refuse_overwriting([sheet])
        if not any(job.missing for job in jobs):
            return None
    return sheet


def _free_names(target: Path, tags: Sequence[str], taken: set[Path], suffix: str | None) -> tuple[Path, ...]:
    """`a.jpg` of two folders, or `a.bmp` beside `a.png` (BMP is not written), would meet: later ones get a number."""
    suffix = suffix or (target.suffix if target.suffix.lower() in images.WRITABLE else ".png")
    number = 1
    while True:
        stem = target.stem if number == 1 else f"{target.stem}-{number}"
        names = tuple(target.with_name(f"{stem}{tag}{suffix}") for tag in tags)
        if taken.isdisjoint(names):
            return names
        number += 1


def _refuse_overwriting_inputs(made: Plan, out: Path, inputs: Sequence[Path]) -> None:
    outputs = [path for job in made.jobs for path in job.outputs] + ([made.sheet] if made.sheet else [])
    _refuse_inputs(outputs, out, {realpath(path) for path in inputs})


def _refuse_inputs(outputs: Sequence[Path], out: Path, inputs: set[str]) -> None:
    for path in outputs:
        if realpath(path) in inputs:
            raise UserError(f"-o {out} would overwrite the input {path}; choose another")
