"""Stroke maps as pictures: black for one stroke scale, white for another, and log2 s linear in the grey between."""

from pathlib import Path

from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, UserError
from brushnet.stroke_map import check_aspect

MOST_PX = 1024  # a side: the network is given fewer than 100 points, and copies of a huge map would be gigabytes


def read_map(path: Path, *, black: float, white: float) -> Tensor:
    """Stroke scales, (1, 1, h, w), a large map reduced. UserError names the file and what is wrong with it."""
    if not path.is_file():
        wrong = "a folder" if path.is_dir() else "no such file"
        raise UserError(f"--stroke-map {path}: {wrong}; give a grey picture")
    try:
        grey_11HW = images.read_grey(path)
    except ImageError as error:
        raise UserError(f"--stroke-map {path}: {error}") from error
    zoom = min(1.0, MOST_PX / max(grey_11HW.shape))
    height, width = (max(1, round(side * zoom)) for side in grey_11HW.shape[-2:])
    return black * (white / black) ** images.resize(grey_11HW, height, width)


def check_map_fits(map_size: tuple[int, int], photo: Path, *, map_path: Path) -> None:
    """UserError where the map, (height, width), is of another shape than the photo, by the header of its file."""
    try:
        photo_size = images.size(photo)
    except BrushnetError:  # told when it is to be painted, beside the photos that can be
        return
    check_aspect(map_size, photo_size, name=f"--stroke-map {map_path}", photo=str(photo))
