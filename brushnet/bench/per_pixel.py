"""What a pixel costs from small photos to large ones, which `brushnet stylize` paints in bands: from file to file."""

import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from brushnet import images, samples
from brushnet.bench.clock import LEAST_ROUNDS, Clock, interleaved
from brushnet.inference.brushes import ScaleBrush
from brushnet.inference.large.choice import must_be_in_bands
from brushnet.inference.large.memory import DEFAULT_BYTES
from brushnet.inference.painter import Painter
from brushnet.inference.plan import Job
from brushnet.models import StyleModel

SIDES = ((256, 256), (512, 512), (1024, 1024), (2048, 2048), (4096, 4096))  # height, width
YARDSTICK = (512, 512)  # is painted in turn with every size: what else the machine does hits both
ONCE_SECONDS = 5.0  # a photo that takes longer is painted once

Size = tuple[int, int]


def measure_per_pixel(
    model: StyleModel,
    clock: Clock,
    *,
    seconds: float,
    sizes: Sequence[Size] = SIDES,
    max_memory_bytes: int = DEFAULT_BYTES,
    tell: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """A row for each size at s = 1 in float32: milliseconds a megapixel, and how many times the yardstick's."""
    painter = Painter(model, [ScaleBrush(1.0, "1")], max_memory_bytes=max_memory_bytes)
    rows = []
    with tempfile.TemporaryDirectory(prefix="brushnet-bench-") as folder:
        paints = {size: partial(_paint, painter, _photo(Path(folder), size)) for size in {YARDSTICK, *sizes}}
        per_px = 0.0
        for size in sizes:
            tell(f"painting at {size[1]} x {size[0]} px")
            long = per_px * math.prod(size) > ONCE_SECONDS
            runs = {"size": paints[size], "yardstick": paints[YARDSTICK]}
            times = interleaved(
                runs, seconds=seconds, clock=clock, warm_up=int(not long), least_rounds=1 if long else LEAST_ROUNDS
            )
            rows.append(row(size, times))
            rows[-1]["in_bands"] = must_be_in_bands(model, size, 1.0, max_memory_bytes=max_memory_bytes)
            per_px = statistics.median(times["size"]) / math.prod(size)
    return rows


def row(size: Size, times: dict[str, list[float]]) -> dict[str, Any]:
    """Medians over rounds; `cost` is the median of each round's cost of a pixel beside the yardstick's."""
    pixels, fewer = math.prod(size), math.prod(YARDSTICK)
    costs = [(own / pixels) / (small / fewer) for own, small in zip(times["size"], times["yardstick"], strict=True)]
    return {
        "height": size[0],
        "width": size[1],
        "ms_per_megapixel": 1e9 * statistics.median(times["size"]) / pixels,
        "cost": statistics.median(costs),
        "rounds": len(costs),
    }


def _photo(folder: Path, size: Size) -> Job:
    """One of the sample photos, enlarged: its content costs the same."""
    photo = images.read(min(samples.resolve("sample:photos").glob("*.jpg")))
    path = folder / f"{size[1]}x{size[0]}.jpg"
    images.write(images.resize(photo, *size).clamp(0, 1), path)
    return Job(path, (path.with_suffix(".painted.jpg"),))


def _paint(painter: Painter, job: Job) -> None:
    painter.paint(job, lambda path: None, thumbnails=False)
