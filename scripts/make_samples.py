"""Make the samples that ship in data/: photographs with clear terms, a shard, paintings with known stroke widths.

    python scripts/make_samples.py SOURCES [--out data]

SOURCES holds the photographs named in PHOTOS and SHARD_PHOTOS, at any depth (data/README.md says where they come
from). The same sources give the same files.
"""

import argparse
import bz2
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from brushnet.data.pack import pack
from brushnet.measure.painter import paint

SHORT_SIDE_PX = 320
PHOTOS = {  # shipped name: file among the sources
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "cameraman": "camera.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "flower": "flower.jpg",
    "galaxies": "hubble_deep_field.jpg",
    "grass": "grass.png",
    "raccoon": "face.dat",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "temple": "china.jpg",
}
SHARD_SHORT_SIDE_PX = 384
SHARD_PHOTOS = {  # to train on: public domain and CC0 only, and none that the quickstart paints afterwards
    "blossoms": "blue-periwinkle.jpg",
    "cameraman": "camera.png",
    "colosseum": "roman-colosseum.jpg",
    "courtyard": "casa-mila.jpg",
    "dandelions": "seeding_by_Clements_Engelhardt.jpg",
    "desert": "extreme-desert-hike.jpg",
    "lake": "lake-sherburne.jpg",
    "osprey": "perched-osprey.jpg",
    "otter": "oakland-zoo-otters.jpg",
    "raccoon": "face.dat",
    "rocket": "rocket.jpg",
    "rooftops": "beacon-street-sunset.jpg",
    "skyline": "singaporean-cityscape.jpg",
    "tea-garden": "tea-gardens.jpg",
    "wren": "canyon-wren.jpg",
}


class Painting(NamedTuple):
    photo: str
    short_side_px: int  # at least 717: at stroke scale 2.8 of a 256 px reference nothing is enlarged
    stroke_px: float
    length_px: float
    vividness: float
    gamma: float  # below 1 lifts the shadows, where strokes would drown
    seed: int


PAINTINGS = {  # 6, 9.2 (the middle in octaves) and 14 px wide strokes at a short side of 256 px
    "painted-small": Painting("flower", 768, 18, 81, vividness=1.35, gamma=0.75, seed=0),
    "painted-medium": Painting("skyline", 768, 27.5, 123.75, vividness=1.45, gamma=0.65, seed=2),
    "painted-large": Painting("coffee", 768, 42, 189, vividness=1.25, gamma=0.85, seed=0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "data")
    arguments = parser.parse_args()
    (arguments.out / "photos").mkdir(parents=True, exist_ok=True)
    (arguments.out / "paintings").mkdir(parents=True, exist_ok=True)
    for name, source in PHOTOS.items():
        photo = fitted(read(find(arguments.sources, source)), SHORT_SIDE_PX, enlarge=False)
        photo.save(arguments.out / "photos" / f"{name}.jpg", quality=90, optimize=True)
    make_shard(arguments.sources, arguments.out / "shards")
    table = {}
    for name, painting in PAINTINGS.items():
        picture = render(painting, read(find(arguments.sources, (PHOTOS | SHARD_PHOTOS)[painting.photo])))
        # 4:4:4, since halved colour would blur the thin streaks of the bristles.
        picture.save(arguments.out / "paintings" / f"{name}.jpg", quality=90, subsampling=0, optimize=True)
        table[f"{name}.jpg"] = widths(painting)
        print(f"{name}: {picture.width} x {picture.height}", file=sys.stderr)
    (arguments.out / "paintings" / "paintings.json").write_text(json.dumps(table, indent=2) + "\n")


def make_shard(sources: Path, out: Path) -> None:
    """As `brushnet shards pack --short-side 384` would; files without loss in between, so that it alone compresses."""
    with tempfile.TemporaryDirectory() as folder:
        for name, source in SHARD_PHOTOS.items():
            photo = fitted(read(find(sources, source)), SHARD_SHORT_SIDE_PX, enlarge=False)
            photo.save(Path(folder, f"{name}.png"))
        report = pack(folder, out, short_side_px=SHARD_SHORT_SIDE_PX, force=True)
    print(f"shards: {report.written} photos", file=sys.stderr)


def find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        sys.exit(f"make_samples: no {name} under {folder}; data/README.md says where it comes from")
    return found[0]


def read(path: Path) -> Image.Image:
    if path.suffix == ".dat":  # SciPy 1.9 ships its raccoon as compressed raw bytes
        raw = np.frombuffer(bz2.decompress(path.read_bytes()), np.uint8)
        return Image.fromarray(raw.reshape(768, 1024, 3))
    return Image.open(path).convert("RGB")


def fitted(image: Image.Image, short_side_px: int, *, enlarge: bool) -> Image.Image:
    scale = short_side_px / min(image.size)
    if scale >= 1 and not enlarge:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def render(painting: Painting, photo: Image.Image) -> Image.Image:
    # Enlarging the photo is harmless: what is fine in the painting comes from the brush.
    big = np.asarray(fitted(photo, painting.short_side_px, enlarge=True), np.float32) / 255
    photo_13HW = torch.from_numpy(big).permute(2, 0, 1)[None] ** painting.gamma
    painted = paint(
        photo_13HW,
        stroke_px=painting.stroke_px,
        length_px=painting.length_px,
        vividness=painting.vividness,
        colour_jitter=0.09,
        seed=painting.seed,
    )
    return Image.fromarray((painted[0].permute(1, 2, 0) * 255).round().byte().numpy())


def widths(painting: Painting) -> dict[str, float | int | str]:
    return {
        "photo": painting.photo,
        "short_side_px": painting.short_side_px,
        "stroke_px": painting.stroke_px,
        "length_px": painting.length_px,
        "stroke_px_at_256": round(painting.stroke_px * 256 / painting.short_side_px, 3),
        "length_px_at_256": round(painting.length_px * 256 / painting.short_side_px, 3),
        "seed": painting.seed,
    }


if __name__ == "__main__":
    main()
