"""What the student learns from: photos and painted photos, at any scale and in any colours, as functions of an index.

Every picture is a function of (seed, index): a resumed distillation sees what an unbroken one would have seen.
"""

import hashlib
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brushnet import images, seeds
from brushnet.errors import UserError
from brushnet.measure.painter import paint

log = logging.getLogger(__name__)

STROKE_PX = (2.5, 40.0)  # of a painted photo, as wide as strokes are between s = 0.35 and 2.8
OCTAVES = (-1.5, 1.0)  # pictures are rescaled by 2 ** these
RECOLOURED = 0.6  # share of pictures whose colours are moved: paintings are not coloured as photos are
MIXED = 0.25  # share that is a blend of two pictures or has noise on it: paintings in the making look like that
QUALITY = 95
LARGEST_PX = 512  # short side of a photo: 128 px crops at the smallest scale need 362


def load_photos(folders: Sequence[Path]) -> list[Tensor]:
    """Photos (3, H, W) uint8 of these folders, shrunk to a short side of 512 px; unreadable ones are counted.

    Raises UserError where none is left.
    """
    pictures, bad = [], []
    for path in (path for folder in folders for path in images.list_images(folder)):
        try:
            pictures.append(_shrunk(images.read_uint8(path, short_side_px=LARGEST_PX)))
        except images.ImageError as error:
            bad.append(f"{path.name} ({error})")
    if bad:
        more = ", ..." if len(bad) > 5 else ""
        log.warning("skipped %d unreadable pictures: %s%s", len(bad), ", ".join(bad[:5]), more)
    if not pictures:
        raise UserError(f"no readable picture in {', '.join(map(str, folders))}")
    return pictures


def _shrunk(photo_3HW: Tensor) -> Tensor:
    return photo_3HW if min(photo_3HW.shape[-2:]) <= LARGEST_PX else images.resize_short_side(photo_3HW, LARGEST_PX)


def digest(tensors: Iterable[Tensor], *, seed: int = 0) -> str:
    """Of their values and the seed, 16 hexadecimal digits."""
    found = hashlib.blake2b(str(seed).encode(), digest_size=8)
    for tensor in tensors:
        found.update(str(tuple(tensor.shape)).encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def painted(photos: Sequence[Tensor], work: Path, *, count: int, seed: int) -> list[Tensor]:
    """`count` paintings (3, H, W) uint8 of these photos, strokes of many widths.

    Each is made once and kept in a folder in `work` that is named after the photos and the seed.
    """
    folder = work / f"painted-{digest(photos, seed=seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for index in range(count):
        path = folder / f"{index:05d}.jpg"
        if not path.is_file():
            images.write(_paint(photos[index % len(photos)], seed=seed, index=index), path, quality=QUALITY)
            if (index + 1) % 50 == 0:
                log.info("painted %d of %d pictures", index + 1, count)
        pictures.append(images.read_uint8(path))
    return pictures


def _paint(photo_3HW: Tensor, *, seed: int, index: int) -> Tensor:
    draws = seeds.rng(seed, "distill/paint", index)
    low, high = map(math.log2, STROKE_PX)
    stroke_px = 2.0 ** draws.uniform(low, high)
    return paint(
        images.to_float(photo_3HW)[None] ** draws.uniform(0.6, 1.2),
        stroke_px=stroke_px,
        length_px=stroke_px * draws.uniform(1.5, 7.0),
        colour_jitter=draws.uniform(0.02, 0.15),
        vividness=draws.uniform(0.8, 1.9),
        relief=draws.uniform(0.1, 1.0),
        seed=int(draws.integers(2**31)),
    )


def batch(pictures: Sequence[Tensor], *, crop_px: int, size: int, seed: int, step: int) -> Tensor:
    """Pictures (B, 3, crop_px, crop_px) in [0, 1] of one step."""
    crops = [_crop(pictures, crop_px, seeds.rng(seed, "distill/crop", step * size + place)) for place in range(size)]
    return torch.stack(crops)


def _crop(pictures: Sequence[Tensor], px: int, draws: np.random.Generator) -> Tensor:
    crop = _recoloured(_cut(pictures, px, draws), draws)
    if draws.uniform() < MIXED:
        if draws.uniform() < 0.5:
            other = _recoloured(_cut(pictures, px, draws), draws)
            crop = torch.lerp(crop, other, draws.uniform(0.1, 0.5))
        else:
            crop = crop + _noise(px, draws)
    return crop.clamp(0, 1)


def _cut(pictures: Sequence[Tensor], px: int, draws: np.random.Generator) -> Tensor:
    """A square of a random picture, rescaled at random, flipped and turned: (3, px, px)."""
    picture = pictures[int(draws.integers(len(pictures)))]
    short = min(picture.shape[-2:])
    side = min(short, max(8, round(px * 2.0 ** -draws.uniform(*OCTAVES))))
    top, left = (int(draws.integers(length - side + 1)) for length in picture.shape[-2:])
    square = images.to_float(images.resize(picture[:, top : top + side, left : left + side], px, px))
    square = square.rot90(int(draws.integers(4)), dims=(-2, -1))
    return square.flip(-1) if draws.uniform() < 0.5 else square


def _recoloured(crop_3HW: Tensor, draws: np.random.Generator) -> Tensor:
    """Colours mixed, contrast and brightness moved."""
    if draws.uniform() > RECOLOURED:
        return crop_3HW
    mixing = torch.eye(3) + torch.from_numpy(draws.normal(0, 0.35, (3, 3))).float()
    centre = crop_3HW.mean(dim=(1, 2), keepdim=True)
    moved = torch.einsum("ij,jhw->ihw", mixing, crop_3HW - centre) * draws.uniform(0.5, 1.6)
    centre = torch.lerp(centre, torch.from_numpy(draws.uniform(0, 1, (3, 1, 1))).float(), draws.uniform(0, 0.8))
    return (centre + moved).clamp(0, 1)


def _noise(px: int, draws: np.random.Generator) -> Tensor:
    """Noise of a random grain and strength, (3, px, px)."""
    grain = int(2 ** draws.integers(0, 4))
    coarse = torch.from_numpy(draws.standard_normal((3, -(-px // grain), -(-px // grain)))).float()
    return draws.uniform(0.02, 0.2) * images.resize(coarse, px, px)
