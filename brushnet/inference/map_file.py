"""Stroke maps as pictures: black for one stroke scale, white for another, and log2 s linear in the grey between."""

from pathlib import Path

from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.stroke_map import check_aspect


def read_map(path: Path, *, black: float, white: float) -> Tensor:
    """Stroke scales, (1, 1, h, w). UserError names the file and what is wrong with it."""
    if not path.is_file():
        raise UserError(f"--stroke-map {path}: no such file; give a grey picture")
    try:
        return black * (white / black) ** images.read_grey(path)
    except ImageError as error:
        raise UserError(f"--stroke-map {path}: {error}") from error


def check_map_fits(stroke_11hw: Tensor, photo: Path, *, map_path: Path) -> None:
    """UserError where the map is of another shape than the photo, by the header of its file."""
    try:
        photo_size = images.size(photo)
    except BrushnetError:  # told when it is to be painted, beside the photos that can be
        return
    height, width = stroke_11hw.shape[-2:]
    check_aspect((height, width), photo_size, name=f"--stroke-map {map_path}", photo=str(photo))
