"""How one photo is painted and written: the one place that decides it."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError
from brushnet.images import deep
from brushnet.inference.brushes import Brush
from brushnet.inference.contact_sheet import thumbnail, thumbnail_of_file
from brushnet.inference.finish import finish
from brushnet.inference.large.choice import must_be_in_bands
from brushnet.inference.large.memory import DEFAULT_BYTES
from brushnet.inference.large.paint import LargePainter, Output
from brushnet.inference.plan import Job
from brushnet.models import StyleModel
from brushnet.style_mix import Style

log = logging.getLogger(__name__)


@dataclass
class Painter:
    """`bits` of a channel, None: as many as the photo's file has, where the painting's can hold them. What would take
    more than `max_memory_bytes` is painted in bands. May be used by several threads: one paints while others read and
    write.

    They take turns rather than share the cores: a network's sums differ in their last bit with the number of cores that
    make them, and a picture should not depend on what else is painted.
    """

    model: StyleModel
    brushes: Sequence[Brush]
    strength: float = 1.0
    preserve_colour: str | None = None
    style: Style = None
    quality: int = 95
    bits: int | None = None
    strip_metadata: bool = False
    max_memory_bytes: int = DEFAULT_BYTES
    turn: threading.Lock = field(default_factory=threading.Lock)
    told_of_bits: bool = False

    @torch.inference_mode()
    def paint(
        self,
        job: Job,
        wrote: Callable[[Path], None],
        *,
        thumbnails: bool,
        advance: Callable[[float], None] = lambda share: None,
    ) -> list[Tensor]:
        """Write what is missing of a job; `wrote` is told each file. Returns its `thumbnails`: photo and paintings.

        `advance` is told what share of a painting in bands is done; what it raises ends it.

        ImageError where the photo cannot be read or a format not hold it, UserError where its file has gone meanwhile.
        """
        header = images.header(job.photo)
        for path in job.missing:
            images.check_fits(header.height, header.width, path.suffix)
        metadata = images.NOTHING if self.strip_metadata else images.read_metadata(job.photo)
        self._tell_of_bits(job, header)
        in_bands = self._in_bands(job, header)
        if in_bands:
            with self.turn:
                self._large().paint(job.photo, in_bands, metadata=metadata, wrote=wrote, progress=advance)
            return self._thumbnails_of_files(job) if thumbnails else []
        photo_13HW = images.read(job.photo)
        row = [thumbnail(photo_13HW)] if thumbnails else []
        for brush, path in zip(self.brushes, job.outputs, strict=True):
            if path in job.there:
                row += [thumbnail_of_file(path)] if thumbnails else []
                continue
            with self.turn:
                painted = brush.paint(self.model, photo_13HW, style=self.style, name=job.name)
                painted = finish(
                    photo_13HW, painted, strength=self.strength, preserve_colour=self.preserve_colour
                ).cpu()
            bits = self._bits(header, path)
            images.write(painted, path, quality=self.quality, bits=bits, metadata=metadata)
            wrote(path)
            row += [thumbnail(painted)] if thumbnails else []
        return row

    def _in_bands(self, job: Job, header: images.Header) -> list[Output]:
        """What is missing, where any of it would take more memory as a whole than is allowed; else nothing."""
        size = (header.height, header.width)
        told = {
            path: brush.in_bands(size)
            for brush, path in zip(self.brushes, job.outputs, strict=True)
            if path not in job.there
        }
        if not any(
            must_be_in_bands(self.model, size, each.stroke, each.short_px, max_memory_bytes=self.max_memory_bytes)
            for each in told.values()
        ):
            return []
        for each in told.values():
            if each.remark:
                log.info("%s: %s", job.name, each.remark)
        return [Output(path, each.stroke, self._bits(header, path), each.short_px) for path, each in told.items()]

    def _large(self) -> LargePainter:
        return LargePainter(
            self.model,
            max_memory_bytes=self.max_memory_bytes,
            style=self.style,
            strength=self.strength,
            preserve_colour=self.preserve_colour,
            quality=self.quality,
        )

    def _thumbnails_of_files(self, job: Job) -> list[Tensor]:
        """None where a file is too large to be read as a whole."""
        try:
            return [thumbnail_of_file(path) for path in (job.photo, *job.outputs)]
        except BrushnetError as error:
            log.warning("not in the contact sheet: %s: %s", job.name, error)
            return []

    def _bits(self, header: images.Header, path: Path) -> int:
        wanted = header.bits if self.bits is None else self.bits
        return wanted if images.holds_16_bits(path.suffix) else 8

    def _tell_of_bits(self, job: Job, header: images.Header) -> None:
        if header.bits == 16 and not deep.readable() and not self.told_of_bits:
            self.told_of_bits = True
            log.warning("%s: 16 bits a channel are read as 8; pip install 'brushnet[large]' keeps them", job.name)
