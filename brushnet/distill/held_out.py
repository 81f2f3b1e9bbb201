"""Pairs of held-out pictures to judge a student by: painting and painting, and painting and rescaled painting."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from brushnet import images
from brushnet.distill.report import DEFAULT, RAW_GRAM, Pair, style_distances
from brushnet.errors import UserError
from brushnet.lossnet import LossNetwork
from brushnet.measure.ranks import spearman
from brushnet.strokes import Painting

DISTANCES = {"default_loss": DEFAULT, "raw_gram": RAW_GRAM}
REFERENCE_PX = 256
LEAST_PAIRS = 3  # fewer have no rank correlation to speak of
SCALES = (0.35, 0.5, 0.71, 1.41, 2.0, 2.8)


class HeldOut(NamedTuple):
    """Pictures (1, 3, H, W) in [0, 1] by name, and pairs of names by group."""

    pictures: dict[str, Tensor]
    groups: dict[str, list[Pair]]


def faithfulness(student: LossNetwork, teacher: LossNetwork, held_out: HeldOut) -> dict[str, dict[str, float]]:
    """Spearman correlation of student's and teacher's style distances, by group of pairs, and how many pairs."""
    pairs = [pair for group in held_out.groups.values() for pair in group]
    ours, theirs = (
        style_distances(net, held_out.pictures, pairs, list(DISTANCES.values())) for net in (student, teacher)
    )
    sizes = [len(group) for group in held_out.groups.values()]
    return {
        f"{name}/{group}": {"pairs": len(our), "spearman": round(spearman(our, their), 4)}
        for name, all_ours, all_theirs in zip(DISTANCES, ours, theirs, strict=True)
        for group, our, their in zip(held_out.groups, all_ours.split(sizes), all_theirs.split(sizes), strict=True)
    }


def load_held_out(paintings: Path, stylized: Path | None) -> HeldOut:
    """Paintings at a short side of 256 px, and the pairs of each group that has at least three.

    `stylized` is a folder of pictures painted by trained models; each is compared with every painting. Raises UserError
    for a picture that cannot be read, and for fewer than three paintings.
    """
    files = images.list_images(paintings)
    if len(files) < LEAST_PAIRS:
        raise UserError(f"--check {paintings}: at least {LEAST_PAIRS} pictures are needed, got {len(files)}")
    opened = {_name(path, paintings): _open(path) for path in files}
    pictures = {name: painting.render(1.0) for name, painting in opened.items()}
    names = list(pictures)
    groups = {"paintings": list(combinations(names, 2)), "rescaled": _rescaled(opened, pictures)}
    if stylized is not None:
        groups["stylized"] = _stylized(stylized, names, pictures)
    return HeldOut(pictures, {name: pairs for name, pairs in groups.items() if len(pairs) >= LEAST_PAIRS})


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _open(path: Path) -> Painting:
    return Painting(_pixels(path), name=path.name, reference_px=REFERENCE_PX)


def _pixels(path: Path) -> Tensor:
    try:
        return images.read_uint8(path)
    except images.ImageError as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _rescaled(opened: Mapping[str, Painting], pictures: dict[str, Tensor]) -> list[Pair]:
    """Each painting at other scales, but never enlarged, against itself at scale 1."""
    pairs = []
    for original, painting in opened.items():
        for scale in (scale for scale in SCALES if scale <= painting.largest_scale):
            name = f"{original}@{scale:g}"
            pictures[name] = painting.render(scale)
            pairs.append((name, original))
    return pairs


def _stylized(folder: Path, names: Sequence[str], pictures: dict[str, Tensor]) -> list[Pair]:
    pairs = []
    for path in images.list_images(folder):
        name = f"stylized/{_name(path, folder)}"
        pictures[name] = images.to_float(images.resize_short_side(_pixels(path), REFERENCE_PX))[None]
        pairs += [(name, painting) for painting in names]
    return pairs


def as_lines(report: Mapping[str, Mapping[str, float]]) -> str:
    return "\n".join(
        f"{group:28} {row['pairs']:5.0f} pairs  Spearman {row['spearman']:.3f}" for group, row in report.items()
    )
