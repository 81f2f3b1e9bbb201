"""Pairs of held-out pictures to judge a student by: painting and painting, and painting and rescaled painting."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from torch import Tensor

from brushnet import images
from brushnet.distill.report import DEFAULT, RAW_GRAM, Pair, spearman, style_distances
from brushnet.errors import UserError
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting

DISTANCES = {"default_loss": DEFAULT, "raw_gram": RAW_GRAM}
REFERENCE_PX = 256
SCALES = (0.35, 0.5, 0.71, 1.41, 2.0, 2.8)


def faithfulness(
    student: LossNetwork, teacher: LossNetwork, *, paintings: Path, stylized: Path | None = None
) -> dict[str, dict[str, float]]:
    """Spearman correlation of student's and teacher's style distances, by group of pairs, and how many pairs.

    `stylized` is a folder of pictures painted by trained models; each is compared with every painting.
    """
    pictures, groups = held_out_pairs(paintings, stylized)
    pairs = [pair for group in groups.values() for pair in group]
    ours, theirs = (style_distances(net, pictures, pairs, list(DISTANCES.values())) for net in (student, teacher))
    sizes = [len(group) for group in groups.values()]
    return {
        f"{name}/{group}": {"pairs": len(our), "spearman": round(spearman(our, their), 4)}
        for name, all_ours, all_theirs in zip(DISTANCES, ours, theirs, strict=True)
        for group, our, their in zip(groups, all_ours.split(sizes), all_theirs.split(sizes), strict=True)
    }


def held_out_pairs(paintings: Path, stylized: Path | None) -> tuple[dict[str, Tensor], dict[str, list[Pair]]]:
    """Pictures (1, 3, H, W) by name and the pairs of each group."""
    files = images.list_images(paintings)
    if len(files) < 2:
        raise UserError(f"--check {paintings}: at least two pictures are needed to tell styles apart")
    opened = [Painting.open(path, reference_px=REFERENCE_PX) for path in files]
    pictures = {painting.name: painting.render(1.0) for painting in opened}
    names = list(pictures)
    groups = {"paintings": list(combinations(names, 2)), "rescaled": _rescaled(opened, pictures)}
    if stylized is not None:
        groups["stylized"] = _stylized(stylized, names, pictures)
    return pictures, groups


def _rescaled(opened: Sequence[Painting], pictures: dict[str, Tensor]) -> list[Pair]:
    """Each painting at other scales against itself at scale 1."""
    pairs = []
    for painting in opened:
        for scale in (scale for scale in SCALES if scale <= painting.largest_scale):
            name = f"{painting.name}@{scale:g}"
            pictures[name] = painting.render(scale)
            pairs.append((name, painting.name))
    return pairs


def _stylized(folder: Path, names: Sequence[str], pictures: dict[str, Tensor]) -> list[Pair]:
    pairs = []
    for path in images.list_images(folder):
        name = f"stylized/{path.relative_to(folder)}"
        pictures[name] = images.resize_short_side(images.read(path), REFERENCE_PX)
        pairs += [(name, painting) for painting in names]
    return pairs


def as_lines(report: Mapping[str, Mapping[str, float]]) -> str:
    return "\n".join(
        f"{group:28} {row['pairs']:5.0f} pairs  Spearman {row['spearman']:.3f}" for group, row in report.items()
    )
