"""What the layer probe is shown: the same subjects at rising stroke scales, painted or rescaled.

Painted, everything but the strokes is kept alike (palette, softness, subject), and all that varies besides is chance:
the observer's task is the stroke width and nothing else. With photos at full contrast the same layers had d' of 0.1 to
2 instead of 1 to 11: subjects then differ more than neighbouring widths do.
"""

import math
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import images, samples, seeds
from brushnet.errors import ImageError, UserError
from brushnet.measure.painter import paint
from brushnet.measure.probe import Series
from brushnet.strokes import SMALLEST_CONTRAST, Painting

STEPS_PER_OCTAVE = 2
NARROWEST_PX, WIDEST_PX = 2.0, 64.0
PHOTOS = ("cat", "coffee", "flower", "temple")  # every second subject; the others are smooth noise
CONTRAST = 0.03  # standard deviation of a subject: it leads the brush, and the strokes' own colours stand out
COLOUR_JITTER = 0.14
NOISE_CELLS = 5
SIZE_PX = 320
STROKES_ACROSS = 4  # a picture holds at least so many of its strokes side by side: fewer are all chance
LARGEST_PX = 2048  # holds the widest strokes allowed; the first layer of a VGG alone takes 1 GB there
MOST_DRAWS = 64
MOST_BYTES = 8_000_000_000  # of pictures, which are all held at once
PARTS = (2, 3)  # rows and columns that a painting is cut into
SMALLEST_PART_PX = 64  # on the third pyramid level 16 px are left, and four positions a side in relu3_1

Progress = Callable[[int, int, str], None]


class _Job(NamedTuple):
    width_px: float
    draw: int
    size_px: int
    seed: int


def width_ladder(narrow_px: float, wide_px: float) -> list[float]:
    """From one to the other in equal steps of about half an octave."""
    steps = max(1, round(STEPS_PER_OCTAVE * math.log2(wide_px / narrow_px)))
    return [narrow_px * (wide_px / narrow_px) ** (step / steps) for step in range(steps + 1)]


def check_size(size_px: int, widest_px: float) -> None:
    if size_px < STROKES_ACROSS * widest_px:
        raise UserError(
            f"--size must be at least {math.ceil(STROKES_ACROSS * widest_px)} px, {STROKES_ACROSS} times the widest "
            f"strokes ({widest_px:g} px), got {size_px}"
        )
    if size_px > LARGEST_PX:
        raise UserError(f"--size must be at most {LARGEST_PX} px, got {size_px}")


def check_most_draws(draws: int, *, size_px: int, widths: int) -> None:
    most = min(MOST_DRAWS, MOST_BYTES // (widths * 3 * 4 * size_px**2))
    if draws > most:
        raise UserError(f"--draws must be at most {most} for {widths} widths at --size {size_px}, got {draws}")


def painted_series(
    widths_px: Sequence[float], *, draws: int, size_px: int, seed: int, processes: int, progress: Progress | None = None
) -> Series:
    """`draws` subjects painted at each width, squares of `size_px`: of one size, or that would tell widths apart.

    Of rescaled paintings it may: see `rescaled_series`.

    The painter keeps one core busy: with more than one process they share the pictures, which stay the same.
    """
    # The slowest first.
    jobs = [_Job(width, draw, size_px, seed) for width in reversed(widths_px) for draw in range(draws)]
    painted: dict[tuple[float, int], Tensor] = {}

    def keep(job: _Job, picture: np.ndarray) -> None:
        painted[job.width_px, job.draw] = torch.from_numpy(picture)
        if progress:
            progress(len(painted), len(jobs), f"strokes of {job.width_px:.3g} px")

    if processes == 1:
        for job in jobs:
            keep(*_painted(job))
    else:
        # Not an executor: left by Ctrl-C, it would first finish what is in its queue.
        with get_context("spawn").Pool(processes, initializer=_begin_worker) as pool:
            for done in pool.imap_unordered(_painted, jobs):
                keep(*done)
    return Series("painted", widths_px, [[painted[width, draw] for draw in range(draws)] for width in widths_px])


def _begin_worker() -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent answers it
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells nobody, and its workers would wait for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _painted(job: _Job) -> tuple[_Job, np.ndarray]:
    """An array: tensors would cross over through a file each, which stays open in the parent."""
    # Another subject and another hand for each draw, the same ones at every width.
    hand = int(seeds.rng(job.seed, "probe hand", job.draw).integers(2**31))
    canvas = subject(job.draw, job.size_px, seed=job.seed)
    return job, paint(canvas, stroke_px=job.width_px, seed=hand, colour_jitter=COLOUR_JITTER).numpy()


def subject(draw: int, side_px: int, *, seed: int) -> Tensor:
    """A soft grey-based photo or noise, (1, 3, side, side) in [0, 1], the same picture at any size."""
    if draw % 2:
        coarse = seeds.rng(seed, "probe subject", draw).standard_normal((1, 3, NOISE_CELLS, NOISE_CELLS), "float32")
        raw = F.interpolate(torch.from_numpy(coarse), (side_px, side_px), mode="bicubic", align_corners=True)
    else:
        path = samples.resolve(f"sample:photos/{PHOTOS[draw // 2 % len(PHOTOS)]}")
        photo = images.read(path)
        short = min(photo.shape[-2:])
        top, left = ((side - short) // 2 for side in photo.shape[-2:])
        raw = images.resize(photo[..., top : top + short, left : left + short], side_px, side_px)
    spread = raw.std(dim=(2, 3), keepdim=True).clamp_min(1e-6)
    return (0.5 + CONTRAST * (raw - raw.mean(dim=(2, 3), keepdim=True)) / spread).clamp(0, 1)


def open_paintings(names: Sequence[str], *, reference_px: int) -> list[Painting]:
    """UserError where one cannot be read, or is all of one colour."""
    paintings = []
    for name in names:
        path = samples.resolve(name)
        try:
            pixels = images.read_uint8(path)
        except (ImageError, UserError) as error:
            raise UserError(f"--style {path} cannot be read: {error}") from error
        if pixels.float().std(dim=(1, 2)).max() < SMALLEST_CONTRAST:
            raise UserError(f"--style {path} is all of one colour; a painting with brushstrokes is needed")
        paintings.append(Painting(pixels, name=path.stem, reference_px=reference_px))
    return paintings


def rescaled_series(painting: Painting, scales: Sequence[float]) -> Series:
    """The six parts of a painting, each rendered at every scale; the subjects are the parts.

    The parts grow with the scale, and what is depicted with them: unlike painted series, d' is not of strokes alone.
    """
    rows, columns = PARTS
    pictures = []
    for scale in scales:
        whole = painting.render(scale)
        height, width = (side // count for side, count in zip(whole.shape[-2:], PARTS, strict=True))
        pictures.append(
            [
                whole[..., row * height : (row + 1) * height, column * width : (column + 1) * width]
                for row in range(rows)
                for column in range(columns)
            ]
        )
    return Series(painting.name, scales, pictures)


def scale_ladder(paintings: Sequence[Painting]) -> list[float]:
    """Stroke scales that every painting can be rendered at: parts large enough, and no file enlarged.

    UserError for paintings that leave less than an octave.
    """
    smallest = max(_smallest_scale(painting) for painting in paintings)
    largest = min(painting.largest_scale for painting in paintings)
    if largest < 2 * smallest:
        tight = min(paintings, key=lambda painting: painting.largest_scale)
        raise UserError(
            f"--style {tight.name} is {tight.short_px} px on its short side; at least "
            f"{math.ceil(2 * smallest * tight.reference_px)} px are needed to render it at two scales an octave apart"
        )
    return width_ladder(smallest, largest)


def _smallest_scale(painting: Painting) -> float:
    height, width = (side / painting.short_px * painting.reference_px for side in painting.pixels.shape[-2:])
    return SMALLEST_PART_PX / min(height / PARTS[0], width / PARTS[1])
