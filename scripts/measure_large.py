"""Pictures in bands beside the same painted whole: how far off, how much slower, and what a thumbnail's statistics do.

    python scripts/measure_large.py PHOTO... [--model NAME] [--strokes 0.5,1,2]

Prints one line for each photo and stroke: time of bands beside time whole (processor time, least of two), and by how
many of 255 levels the painting is off, at most and in the mean: in bands with exact statistics in float32 and in
float16, and with those of the photo reduced to a short side of 256 and 512 px (as URST has it, Chen et al. 2022).
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import brushnet
from brushnet import images
from brushnet.inference.large.passes import BandPasses
from brushnet.inference.large.spills import Spills
from brushnet.nets.by_rows import paint_rows
from brushnet.nets.rows import Held

BAND_BYTES = 1e8
THUMBNAILS_PX = (256, 512)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", default="starry-night")
    parser.add_argument("--strokes", default="0.5,1,2", type=lambda text: [float(part) for part in text.split(",")])
    args = parser.parse_args()
    model = brushnet.load(args.model)
    weights = torch.eye(len(model.style_names))[:1]
    for path in args.photos:
        photo = images.read(path)
        for stroke in args.strokes:
            octaves = torch.full((1, 1, 1, 1), stroke).log2()
            measure(model.net, photo, octaves, weights, name=f"{path.name} s={stroke:g}")


def measure(net, photo: Tensor, octaves: Tensor, weights: Tensor, *, name: str) -> None:
    whole, seconds_whole = timed(lambda: net(photo, octaves, weights))
    in_bands, seconds_bands = timed(lambda: banded(net, photo, octaves, weights, torch.float32))
    print(f"{name}: {photo.shape[3]} x {photo.shape[2]} px, time {seconds_bands / seconds_whole:.2f} of whole")
    report("exact, float32", in_bands, whole)
    report("exact, float16", banded(net, photo, octaves, weights, torch.float16), whole)
    for px in THUMBNAILS_PX:
        moments = net.norm_moments(images.resize_short_side(photo, px), octaves, weights)
        report(f"thumbnail of {px} px", net(photo, octaves, weights, moments=moments), whole)


def banded(net, photo: Tensor, octaves: Tensor, weights: Tensor, dtype: torch.dtype) -> Tensor:
    with tempfile.TemporaryDirectory() as folder:
        spills = Spills(memory_bytes=0, folder=Path(folder), device=torch.device("cpu"), dtype=dtype)
        passes = BandPasses(spills, band_bytes=BAND_BYTES)
        rows = paint_rows(net, Held(photo), octaves, weights, passes)
        return torch.cat([band for _, band in passes.bands(rows)], dim=2)


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    seconds = []
    for _ in range(2):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def report(name: str, painting: Tensor, whole: Tensor) -> None:
    off = (painting - whole).abs() * 255
    print(f"    {name}: off by {off.max():.3g} of 255 at most, {off.mean():.3g} in the mean", flush=True)


if __name__ == "__main__":
    main()
