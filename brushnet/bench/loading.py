"""Loading: how many photos a second the data module decodes and crops, by number of workers."""

import statistics
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.utils.data import DataLoader

from brushnet import samples
from brushnet.bench.clock import Clock
from brushnet.data.module import PhotoData

WINDOWS = 3


def worker_counts(cores: int) -> list[int]:
    """0, 1, 2, 4, ... up to the number of cores, and that."""
    counts = [0, 1]
    while counts[-1] * 2 < cores:
        counts.append(counts[-1] * 2)
    return sorted({*counts, cores})


def measure_loading(
    path: str,
    *,
    kind: str,
    crop_px: int,
    batch_size: int,
    workers: list[int],
    seconds: float,
    clock: Clock,
    tell: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """A row for each number of workers; `kind` is what the rows call this path."""
    rows = []
    for count in workers:
        tell(f"loading from {kind} with {count} workers")
        data = PhotoData(path=path, crop_px=crop_px, batch_size=batch_size, seed=0, workers=count, val_photos=1)
        data.setup("fit")
        loader = data.train_dataloader()
        row = {"source": kind, "workers": count, "batch_size": batch_size, "crop_px": crop_px}
        rows.append({**row, "images_s": _rate(loader, batch_size, seconds=seconds, clock=clock)})
    return rows


@contextmanager
def sample_photos() -> Iterator[dict[str, str]]:
    """The photos of the sample shard as shards and, unpacked, as a folder: {"folder": path, "shards": path}."""
    shards = samples.resolve("sample:shards")
    with TemporaryDirectory(prefix="brushnet-bench-") as folder:
        for shard in sorted(shards.glob("*.tar")):
            with tarfile.open(shard) as tar:
                for member in tar.getmembers():
                    content = tar.extractfile(member)
                    if content is not None and member.name.endswith(".jpg"):
                        (Path(folder) / Path(member.name).name).write_bytes(content.read())
        yield {"folder": folder, "shards": str(shards)}


def _rate(loader: DataLoader, batch_size: int, *, seconds: float, clock: Clock) -> float:
    """Images a second, the median of some windows. What lies ready when the first one begins is used up before."""
    batches = iter(loader)
    for _ in range(1 + 2 * loader.num_workers):
        next(batches)
    rates = []
    for _ in range(WINDOWS):
        begun, images = clock.now(), 0
        while clock.now() - begun < seconds / WINDOWS or not images:
            next(batches)
            images += batch_size
        rates.append(images / (clock.now() - begun))
    del batches  # ends its workers
    return statistics.median(rates)
