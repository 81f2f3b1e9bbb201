"""A photo's file painted into files, in bands: in a given amount of memory, however large it is.

What that cannot hold lies in temporary files meanwhile: 32 bytes a pixel at a stroke scale of 1 and above, 48 at 0.5
and below (default network; `slim`: 48 and 144). In float32: halves would put single pixels off by up to 7 of 255 levels
(`slim`; scripts/measure_large.py).

Shape letters: h w size of a stroke map.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError, UserError
from brushnet.images.deep import libvips
from brushnet.inference.large.encoding import fits_whole, write_rows
from brushnet.inference.large.finishing import finish_rows, is_read_once
from brushnet.inference.large.memory import resident_bytes
from brushnet.inference.large.passes import BandPasses, CountingPasses
from brushnet.inference.large.per_side import paint_at
from brushnet.inference.large.photo import read_photo
from brushnet.inference.large.spills import Spill, Spills, check_disk, spill_folder
from brushnet.models import StyleModel
from brushnet.nets.by_rows import paint_rows, whole_bytes
from brushnet.nets.rows import Passes, Rows
from brushnet.stroke_map import check_aspect, fit_map
from brushnet.style_mix import Style, style_weights

Progress = Callable[[float], None]  # of one painting, 0 to 1; what it raises ends the work, and nothing is left behind

_BAND_SHARE = 0.3  # of the memory that is left: more rows at a time are hardly faster
_TIDY_SHARE = 0.7  # of the memory that is allowed: tidying up costs some percent of the time
_MOST_BAND_BYTES = 400_000_000
# On a CPU, whose caches more rows do not fit. 2048 x 2048 px, default network, two idle cores, ns a pixel with bands of
# 16, 48, 80, 120 and 250 MB: 314, 309, 317, 357, 472 at s = 1 and 225, 230, 238, 282, 366 at s = 2.
_FASTEST_BAND_BYTES = 48_000_000
_FEWEST_ROWS = 16
_IN_BANDS_MORE = (
    1.6  # what bands really take beside what Rows estimate, with torch's own copies and the allocator's gaps
)
_PICTURE_BYTES = 40  # photo, painting, finished painting, and what is written
_BESIDE_BYTES = 150_000_000  # oneDNN's kernels, libvips, and what the allocator keeps


@dataclass(frozen=True)
class Output:
    """`stroke` as for a model: a scale, or a map (1, 1, h, w) of them; `bits` of a channel, 8 or 16.

    `short_px`: short side that the photo is painted at, where that is not its own (see inference.resolution).
    """

    path: Path
    stroke: float | Tensor
    bits: int = 8
    short_px: int | None = None


def needed_bytes(model: StyleModel, size: tuple[int, int], stroke: float | Tensor) -> float:
    """What painting a photo of (height, width) whole takes beside what the process has; on its device, if that is cuda.

    With more than is allowed it is to be painted in bands.
    """
    height, width = size
    with_map = isinstance(stroke, Tensor) and stroke.ndim == 4
    return _BESIDE_BYTES + height * width * _PICTURE_BYTES + whole_bytes(model.net, height, width, with_map=with_map)


class LargePainter:
    """Paints photos with one model in `max_memory_bytes` of this process, all that it has taken before included."""

    def __init__(
        self,
        model: StyleModel,
        *,
        max_memory_bytes: int,
        style: Style = None,
        strength: float = 1.0,
        preserve_colour: str | None = None,
        quality: int = 95,
    ):
        self.model, self.max_memory_bytes, self.style = model, max_memory_bytes, style
        self.strength, self.preserve_colour, self.quality = strength, preserve_colour, quality

    @torch.inference_mode()
    def paint(
        self,
        photo: Path,
        outputs: Sequence[Output],
        *,
        metadata: images.Metadata = images.NOTHING,
        wrote: Callable[[Path], None] = lambda path: None,
        progress: Progress = lambda share: None,
    ) -> None:
        """Reads the photo once; `wrote` is told each file, `progress` starts anew with each.

        ImageError where the photo cannot be read or a format not hold it, UserError where the memory does not do,
        BrushnetError where the disk is full. No partial file is left, whatever ends it.
        """
        header = images.header(photo)
        for output in outputs:
            images.check_fits(header.height, header.width, output.path.suffix)
        budget = _Budget.of(self.max_memory_bytes, self.model.device)
        spills = Spills(
            memory_bytes=budget.spill_bytes, folder=spill_folder(outputs[0].path.parent), device=self.model.device
        )
        _check_can_write(outputs, header, spills)
        pixels = read_photo(photo, spills)
        for output in outputs:
            self._paint(pixels, output, budget, spills, metadata, progress)
            wrote(output.path)

    def _paint(
        self,
        photo: Spill,
        output: Output,
        budget: "_Budget",
        spills: Spills,
        metadata: images.Metadata,
        progress: Progress,
    ) -> None:
        height, width = photo.height, photo.width
        counted = CountingPasses()
        counted.count(self._painting(photo, output, counted))
        budget.check(counted.row_bytes, width)
        check_disk(spills.folder, 4 * counted.most_spilled - spills.memory_bytes)
        work = [0.0]

        def advance(done: float) -> None:
            work[0] += done
            progress(min(1.0, work[0] / counted.work))

        passes = BandPasses(
            spills,
            band_bytes=budget.best(counted.row_bytes, self.model.device),
            tidy_above_bytes=_TIDY_SHARE * self.max_memory_bytes,
            advance=advance,
        )
        painting = self._painting(photo, output, passes)
        finished = finish_rows(photo, painting, passes, strength=self.strength, preserve_colour=self.preserve_colour)
        write_rows(
            passes.bands(finished),
            output.path,
            height,
            width,
            quality=self.quality,
            bits=output.bits,
            metadata=metadata,
            whole=fits_whole(height, width, spills.memory_bytes),
        )

    def _painting(self, photo: Rows, output: Output, passes: Passes) -> Rows:
        """To be read once, or as often as finishing needs it."""
        scales_11hw = self._scales(output.stroke, photo.height, photo.width)
        weights_1K = torch.tensor([style_weights(self.style, self.model.style_names)], device=self.model.device)

        def paint(rows: Rows) -> Rows:
            log2_11hw = fit_map(scales_11hw.log2(), (rows.height, rows.width))
            return paint_rows(self.model.net, rows, log2_11hw, weights_1K, passes)

        short_px = output.short_px or min(photo.height, photo.width)
        painting = paint_at(photo, short_px, paint=paint, passes=passes)
        return painting if is_read_once(self.strength, self.preserve_colour) else passes.spill(painting)

    def _scales(self, stroke: float | Tensor, height: int, width: int) -> Tensor:
        scales = torch.as_tensor(self.model.fit_stroke(stroke), dtype=torch.float32, device=self.model.device)
        scales_11hw = scales if scales.ndim == 4 else scales.reshape(1, 1, 1, 1)
        check_aspect((scales_11hw.shape[2], scales_11hw.shape[3]), (height, width))
        # Only conditioned networks are told: the others saw log2 s = 0 throughout their training.
        return scales_11hw if self.model.stroke_mode == "conditioned" else torch.ones(1, 1, 1, 1).to(scales)


@dataclass(frozen=True)
class _Budget:
    """Of `band_bytes` is what is computed at a time, of `spill_bytes` what waits for the next pass."""

    max_memory_bytes: int
    taken_bytes: int
    band_bytes: float
    spill_bytes: int

    @classmethod
    def of(cls, max_memory_bytes: int, device: torch.device) -> "_Budget":
        taken = resident_bytes()
        left = max(0, max_memory_bytes - taken - _BESIDE_BYTES)
        bands = min(_BAND_SHARE * left, _MOST_BAND_BYTES)
        if device.type == "cuda":
            bands = min(bands, _BAND_SHARE * torch.cuda.mem_get_info(device)[0])
        return cls(max_memory_bytes, taken, bands / _IN_BANDS_MORE, int(max(0.0, 0.9 * (left - bands))))

    def best(self, row_bytes: float, device: torch.device) -> float:
        """Bytes of the bands that are computed fastest. Not measured on a GPU, where more rows are fewer kernels."""
        if device.type != "cpu":
            return self.band_bytes
        return min(self.band_bytes, max(_FASTEST_BAND_BYTES, _FEWEST_ROWS * row_bytes))

    def check(self, row_bytes: float, width: int) -> None:
        """UserError where not even one row can be painted."""
        if row_bytes <= self.band_bytes:
            return
        least = self.taken_bytes + _BESIDE_BYTES + row_bytes * _IN_BANDS_MORE / _BAND_SHARE
        raise UserError(
            f"--max-memory {self.max_memory_bytes / 1e9:.3g}GB: a picture of {width} px in width needs at least "
            f"{least / 1e9:.2g}GB"
        )


def _check_can_write(outputs: Sequence[Output], header: images.Header, spills: Spills) -> None:
    if libvips() is None and not fits_whole(header.height, header.width, spills.memory_bytes):
        raise BrushnetError(
            f"{header.width} x {header.height} pixels do not fit in the memory that is allowed; "
            "pip install 'brushnet[large]' writes them in parts"
        )
