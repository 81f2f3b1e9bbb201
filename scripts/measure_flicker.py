"""How much painted videos flicker, and what lowers it: on clips made from photos, of which the movement is known.

    python scripts/measure_flicker.py MODEL [PHOTOS] [--strokes 0.5,1,2] [--photos 4] [--frames 12] [--json FILE]

Clips: `pan 1,0` and `pan 3,2` (px a frame), `noise` (a camera at rest whose sensor has noise of 4 levels), `light` (at
rest, brightness wavers by 3 %), `exposure` (at rest, brightness rises by 2.5 % a frame), `passing` (at rest, a thing
of a quarter of the frame passes; only what is far from it counts).

Painted `each` by itself, on the `grid`, held where the picture was before, and there with statistics held over `2 s`
(brushnet's own) and other times. Flicker is the mean difference from the frame before, moved as the camera moved, in
percent of the painting's contrast (the standard deviation of a frame); in brackets the same of colours alone (means of
16 px), from half a clip before. The photo's own, in percent of its contrast, stands beside.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

import brushnet
from brushnet import images, samples
from brushnet.commands.parser import Parser, positive_int
from brushnet.commands.progress import Progress
from brushnet.errors import BrushnetError
from brushnet.inference.scales import parse_strokes
from brushnet.inference.video.anchor import cell_px
from brushnet.inference.video.steady import SteadyPainter
from brushnet.inference.video.watcher import Watcher

FPS = 25
SIZE = (224, 272)  # height and width of a frame; the photo must have room for the pan
COLOUR_PX = 16
WAYS = {"each": (False, 0.0), "grid": (True, 0.0), "1 s": (True, 1.0), "2 s": (True, 2.0), "4 s": (True, 4.0)}


@dataclass(frozen=True)
class Clip:
    """`frames` (N, 3, H, W) show what moves left and up by `step` px a frame; only the first `rows` of them count."""

    frames: Tensor
    step: tuple[int, int] = (0, 0)
    rows: int | None = None


def pan(photo: Tensor, _other: Tensor, count: int, step: tuple[int, int]) -> Clip:
    places = [(step[0] * number, step[1] * number) for number in range(count)]
    return Clip(torch.cat([_part(photo, *place) for place in places]), step)


def noise(photo: Tensor, _other: Tensor, count: int) -> Clip:
    still = _part(photo, 0, 0).expand(count, -1, -1, -1)
    return Clip((still + 4 / 255 * torch.randn(still.shape, generator=_generator())).clamp(0, 1))


def light(photo: Tensor, _other: Tensor, count: int) -> Clip:
    gains = 1 + 0.06 * (torch.rand(count, 1, 1, 1, generator=_generator()) - 0.5)
    return Clip((_part(photo, 0, 0) * gains).clamp(0, 1))


def exposure(photo: Tensor, _other: Tensor, count: int) -> Clip:
    gains = 0.7 * 1.025 ** torch.arange(count).view(-1, 1, 1, 1)
    return Clip((_part(photo, 0, 0) * gains).clamp(0, 1))


def passing(photo: Tensor, other: Tensor, count: int) -> Clip:
    height, width = SIZE
    thing = images.resize(other, height // 2, width // 2)
    frames = _part(photo, 0, 0).repeat(count, 1, 1, 1)
    for number, frame in enumerate(frames):
        left = round((1.5 * number / (count - 1) - 0.5) * width)
        first, last = max(0, left), min(width, left + thing.shape[-1])
        frame[:, height // 2 :, first:last] = thing[0, :, :, first - left : last - left]
    return Clip(frames, rows=height // 5)  # beyond the reach of the network's convolutions at s = 1


CLIPS: dict[str, Callable[[Tensor, Tensor, int], Clip]] = {
    "pan 1,0": lambda *made_of: pan(*made_of, (1, 0)),
    "pan 3,2": lambda *made_of: pan(*made_of, (3, 2)),
    "noise": noise,
    "light": light,
    "exposure": exposure,
    "passing": passing,
}


@torch.no_grad()
def paint(model: brushnet.StyleModel, clip: Clip, stroke: float, *, grid: bool, hold_s: float) -> Tensor:
    painter, watch = SteadyPainter(model, hold_s=hold_s, grid=grid), Watcher()
    cell = cell_px(model.net.trunk_zoom(math.log2(stroke)))
    looks = [watch(images.to_uint8(frame), number / FPS) for number, frame in enumerate(clip.frames)]
    painted = [painter(frame[None], stroke, [look], cell=cell) for frame, look in zip(clip.frames, looks, strict=True)]
    return torch.cat(painted).cpu()


def flicker(frames: Tensor, clip: Clip) -> tuple[float, float]:
    """From the frame before, and slow, in percent of the contrast."""
    contrast = frames.std(dim=(2, 3)).mean()
    fast = _difference(frames, clip, 1)
    slow = F.avg_pool2d(_difference(frames, clip, len(frames) // 2), COLOUR_PX)
    return float(100 * fast.abs().mean() / contrast), float(100 * slow.abs().mean() / contrast)


def _difference(frames: Tensor, clip: Clip, lag: int) -> Tensor:
    right, down = (each * lag for each in clip.step)
    height, width = frames.shape[-2:]
    now = frames[lag:, :, : height - down, : width - right]
    return (now - frames[:-lag, :, down:, right:])[:, :, : clip.rows]


def _part(photo: Tensor, left: int, top: int) -> Tensor:
    return photo[..., top : top + SIZE[0], left : left + SIZE[1]]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _photos(folder: Path, count: int, frames: int) -> list[Tensor]:
    """Spread over the folder, each large enough for the pan."""
    least = (SIZE[0] + 2 * frames, SIZE[1] + 3 * frames)
    fitting = []
    for path in images.list_images(folder):
        height, width = images.size(path)
        if height >= least[0] and width >= least[1]:
            fitting.append(path)
    if len(fitting) < count:
        raise BrushnetError(f"{folder}: {len(fitting)} photos of at least {least[1]} x {least[0]} px, {count} needed")
    return [images.read(path) for path in fitting[:: len(fitting) // count][:count]]


def rows(model: brushnet.StyleModel, photos: list[Tensor], strokes: list[float], frames: int) -> Iterator[dict]:
    with Progress("clips") as progress:
        total = len(strokes) * len(CLIPS)
        for done, (stroke, name) in enumerate(((stroke, name) for stroke in strokes for name in CLIPS), start=1):
            clips = [CLIPS[name](photo, photos[at - 1], frames) for at, photo in enumerate(photos)]
            figures = {"photo": [flicker(clip.frames, clip) for clip in clips]}
            for way, (grid, hold_s) in WAYS.items():
                figures[way] = [flicker(paint(model, clip, stroke, grid=grid, hold_s=hold_s), clip) for clip in clips]
            means = {way: torch.tensor(each).mean(dim=0).tolist() for way, each in figures.items()}
            yield {"stroke": stroke, "clip": name, **{way: {"flicker": fast, "slow": slow}
                                                      for way, (fast, slow) in means.items()}}  # fmt: skip
            progress.show(done, total, name)


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("photos_folder", nargs="?", default="sample:photos", metavar="PHOTOS")
    parser.add_argument("--strokes", type=parse_strokes, default=[0.5, 1.0, 2.0])
    parser.add_argument("--photos", type=positive_int, default=4)
    parser.add_argument("--frames", type=positive_int, default=12)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    photos = _photos(samples.resolve(args.photos_folder), args.photos, args.frames)
    print("| s | clip | photo |" + "".join(f" {way} |" for way in WAYS))
    print("|---|---|---|" + "---|" * len(WAYS))
    made = []
    for row in rows(brushnet.load(args.model), photos, args.strokes, args.frames):
        cells = [f"{row[way]['flicker']:.1f} ({row[way]['slow']:.1f})" for way in ("photo", *WAYS)]
        print(f"| {row['stroke']:g} | {row['clip']} | " + " | ".join(cells) + " |", flush=True)
        made.append(row)
    if args.json:
        args.json.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except BrushnetError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
