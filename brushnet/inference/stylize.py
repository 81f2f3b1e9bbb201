"""`brushnet stylize MODEL INPUT... -o OUT`: paints files and folders, at one stroke scale, several or a map of them."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from brushnet import images, samples
from brushnet.devices import pick_device
from brushnet.errors import UserError
from brushnet.images.formats import kind_of
from brushnet.inference.brushes import Brush, open_brushes
from brushnet.inference.finish import check_colour, check_strength
from brushnet.inference.large.memory import DEFAULT_BYTES
from brushnet.inference.painter import Painter
from brushnet.inference.plan import plan
from brushnet.inference.report import StylizeReport
from brushnet.inference.run import Progress, Run
from brushnet.inference.standard_streams import StandardStreams
from brushnet.models import StyleModel, load
from brushnet.style_mix import Style, style_weights

__all__ = ["StylizeReport", "stylize_files"]


def stylize_files(
    model: StyleModel | str | Path,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    strokes: Sequence[float] = (),
    stroke_map: str | Path | None = None,
    map_range: tuple[float, float] | None = None,
    stroke_per_side: float | None = None,
    strength: float = 1.0,
    preserve_colour: str | None = None,
    style: Style = None,
    device: str = "auto",
    strict: bool = False,
    force: bool = False,
    quality: int = 95,
    picture_format: str | None = None,
    bits: int | None = None,
    strip_metadata: bool = False,
    jobs: int | None = None,
    max_memory_bytes: int = DEFAULT_BYTES,
    progress: Progress | None = None,
    report: StylizeReport | None = None,
    stop: threading.Event | None = None,
) -> StylizeReport:
    """Paint every photo at every stroke scale, or by a map of them; by default at the model's own scale.

    `stroke_map` is a grey picture; `map_range` names the scales of its black and its white, by default the ends of the
    trained range. `stroke_per_side` is as for `paint_per_side`, `strength` and `preserve_colour` are as for `finish`.
    An input or `out` of "-" is standard input or output. `picture_format`, of images.KINDS, is that of all pictures;
    by default each has its photo's, and as many `bits` a channel (8 or 16) as its photo, where its format can.

    `jobs` pictures are in hand at a time, by default as many as pay: one is painted while others are read and written.
    The pictures do not depend on it.

    What would take more than `max_memory_bytes` (of a GPU: more than it has) is painted in bands: of the same look, and
    of the same pixels but for rounding.

    A wrong request is a UserError before anything is written. A picture that cannot be read, or that its format cannot
    hold, does not stop the rest: it is in the report. A full disk does (BrushnetError): the next would fail too.
    `stop`, once set from elsewhere, does soon (Stopped). In a folder the same call then goes on: what is there is
    skipped, unless `force`. `report` is filled as it goes on: it tells what was done where something ends it.
    """
    _check_numbers(inputs, quality, bits, jobs)
    check_strength(strength)
    check_colour(preserve_colour)
    suffix = _suffix(picture_format, Path(out), bits)
    target = pick_device(device)
    model = model if isinstance(model, StyleModel) else load(model)
    style_weights(style, model.style_names)  # refused before anything is written
    map_path = None if stroke_map is None else Path(stroke_map)
    brushes = open_brushes(
        model,
        strokes=strokes,
        stroke_map=map_path,
        map_range=map_range,
        stroke_per_side=stroke_per_side,
        strict=strict,
    )
    stop = threading.Event() if stop is None else stop
    with StandardStreams(stop) as streams:
        photos = streams.files_of([samples.resolve(str(path)) for path in inputs])
        todo = plan(
            photos,
            streams.file_of(Path(out), photos, suffix),
            scale_labels=[brush.label for brush in brushes],
            force=force,
            suffix=suffix,
            check_photo=lambda photo: _check(brushes, photo),
            also_read=[map_path] if map_path else [],
        )
        painter = Painter(
            model.to(target), brushes, strength, preserve_colour, style, quality, bits, strip_metadata, max_memory_bytes
        )
        run = Run(painter, todo, streams, progress, StylizeReport() if report is None else report)
        run.do(jobs=jobs or default_jobs(target), stop=stop, forced=force)
        streams.send()
        return run.report


def default_jobs(device: torch.device) -> int:
    """A GPU paints faster than one core writes files: as many as there are cores, within reason.

    A CPU paints with all its cores, and files are 1 % (JPEG) to 13 % (PNG) of its time: one more than is painted.
    """
    return 2 if device.type == "cpu" else min(8, max(2, os.cpu_count() or 1))


def _check_numbers(inputs: Sequence[str | Path], quality: int, bits: int | None, jobs: int | None) -> None:
    if not inputs:
        raise UserError("no input; give pictures or folders")
    if not 1 <= quality <= 100:
        raise UserError(f"--quality must be from 1 to 100, got {quality}")
    if bits not in (None, 8, 16):
        raise UserError(f"--bits must be auto, 8 or 16, got {bits}")
    if jobs is not None and jobs < 1:
        raise UserError(f"--jobs must be auto or a whole number above 0, got {jobs}")


def _suffix(picture_format: str | None, out: Path, bits: int | None) -> str | None:
    """Of all pictures, None where each keeps its own."""
    if picture_format is not None and picture_format not in images.KINDS:
        raise UserError(f"--format must be one of {', '.join(images.KINDS)}, got {picture_format}")
    suffix = None if picture_format is None else images.KINDS[picture_format]
    named = out.suffix.lower() if out.suffix.lower() in images.WRITABLE else None
    if suffix and named and kind_of(named) != kind_of(suffix):
        raise UserError(f"--format {picture_format} and -o {out} are two formats; leave one out")
    if bits == 16 and not images.holds_16_bits(suffix or named or ".png"):
        raise UserError(f"--bits 16 needs PNG or TIFF, got {suffix or named}")
    return suffix


def _check(brushes: Sequence[Brush], photo: Path) -> None:
    for brush in brushes:
        brush.check(photo)
