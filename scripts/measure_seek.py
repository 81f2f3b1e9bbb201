"""How long a stream takes from opening to its first batch, at any sample: `python scripts/measure_seek.py`.

Makes a set of shards of tiny pictures in a temporary folder (no photo is repeated in it), opens it and starts the
training loader at several places, in turn, several times. The seek is independent of the position if the medians agree.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from webdataset.writer import ShardWriter

from brushnet import images, seeds
from brushnet.data import index
from brushnet.data.module import PhotoData

PLACES = (0.0, 0.01, 0.5, 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--per-shard", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_shards(Path(folder), args.samples, args.per_shard)
        times = measure(folder, args.rounds)
    print(f"{args.samples} samples in shards of {args.per_shard}; seconds, median (least, most) of {args.rounds}")
    for place, found in times.items():
        opening, first = zip(*found, strict=True)
        print(f"  at {place:4.0%}: open {words(opening)}, then the first batch {words(first)}")


def words(seconds: tuple[float, ...]) -> str:
    return f"{statistics.median(seconds):.3f} ({min(seconds):.3f}, {max(seconds):.3f})"


def write_shards(folder: Path, samples: int, per_shard: int) -> None:
    """Pictures of 16 x 16 px, each of another colour."""
    pictures = seeds.rng(0, "seek", 0).integers(256, size=(samples, 3, 1, 1), dtype=np.uint8)
    with ShardWriter(str(folder / "shard-%06d.tar"), maxcount=per_shard, verbose=0, encoder=False, mtime=0) as writer:
        for number, colour in enumerate(torch.from_numpy(pictures)):
            jpeg = images.encode_jpeg(colour.expand(3, 16, 16).contiguous(), quality=90)
            writer.write({"__key__": f"{number:06d}", "jpg": jpeg})
    shards = [index.scan(path).shard for path in sorted(folder.glob("*.tar"))]
    index.write([index.Shard(s.file, index.digest(folder / s.file), s.bytes, s.samples) for s in shards], folder)


def measure(path: str, rounds: int) -> dict[float, list[tuple[float, float]]]:
    """For each place in an epoch (seconds to open, seconds to the first batch) of each round."""
    times: dict[float, list[tuple[float, float]]] = {place: [] for place in PLACES}
    for _ in range(rounds):
        for place in PLACES:
            start = time.perf_counter()
            data = PhotoData(path=path, crop_px=16, batch_size=4, seed=0, workers=0)
            data.setup()
            opened = time.perf_counter()
            first = int(place * len(data.looks.run.codes))
            data.load_state_dict({"batches": 0, "samples": first, "ranks": 1})
            batch = next(iter(data.train_dataloader()))
            assert int(batch["index"][0]) == first
            times[place].append((opened - start, time.perf_counter() - opened))
    return times


if __name__ == "__main__":
    main()
