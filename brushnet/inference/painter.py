"""How one photo is painted and written: the one place that decides it."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images
from brushnet.images import deep
from brushnet.inference.brushes import Brush
from brushnet.inference.contact_sheet import thumbnail
from brushnet.inference.plan import Job
from brushnet.models import StyleModel
from brushnet.style_mix import Style

log = logging.getLogger(__name__)


@dataclass
class Painter:
    """`finishing(photo, painting)` is the last thing done. `bits` of a channel, None: as many as the photo's file has,
    where the painting's can hold them. May be used by several threads: one paints while others read and write.

    They take turns rather than share the cores: a network's sums differ in their last bit with the number of cores that
    make them, and a picture should not depend on what else is painted.
    """

    model: StyleModel
    brushes: Sequence[Brush]
    finishing: Callable[[Tensor, Tensor], Tensor]
    style: Style = None
    quality: int = 95
    bits: int | None = None
    strip_metadata: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)
    told_of_bits: bool = False

    @torch.inference_mode()
    def paint(self, job: Job, wrote: Callable[[Path], None], *, thumbnails: bool) -> list[Tensor]:
        """Write what is missing of a job; `wrote` is told each file. Returns its `thumbnails`: photo and paintings.

        ImageError where the photo cannot be read or a format not hold it, UserError where its file has gone meanwhile.
        """
        header = images.header(job.photo)
        for path in job.missing:
            images.check_fits(header.height, header.width, path.suffix)
        metadata = images.NOTHING if self.strip_metadata else images.read_metadata(job.photo)
        self._tell_of_bits(job, header)
        photo_13HW = images.read(job.photo)
        row = [thumbnail(photo_13HW)] if thumbnails else []
        for brush, path in zip(self.brushes, job.outputs, strict=True):
            if path in job.there:
                row += [thumbnail(images.read(path))] if thumbnails else []
                continue
            with self.turn:
                painted = brush.paint(self.model, photo_13HW, style=self.style, name=job.name)
                painted = self.finishing(photo_13HW, painted).cpu()
            bits = self._bits(header, path)
            images.write(painted, path, quality=self.quality, bits=bits, metadata=metadata)
            wrote(path)
            row += [thumbnail(painted)] if thumbnails else []
        return row

    def _bits(self, header: images.Header, path: Path) -> int:
        wanted = header.bits if self.bits is None else self.bits
        return wanted if images.holds_16_bits(path.suffix) else 8

    def _tell_of_bits(self, job: Job, header: images.Header) -> None:
        if header.bits == 16 and not deep.readable() and not self.told_of_bits:
            self.told_of_bits = True
            log.warning("%s: 16 bits a channel are read as 8; pip install 'brushnet[large]' keeps them", job.name)
