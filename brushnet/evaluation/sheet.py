"""Contact sheet: a row for each photo (and system), a column for each stroke scale, the painting's own strokes on top.

All pictures of the sheet's first size are shown at one zoom, the painting's too: strokes can be compared by eye.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from brushnet import images
from brushnet.inference.scales import labels
from brushnet.strokes import Painting

CELL_PX = 320
LABEL_CHARS = 20
MOST_ROWS = 40
MOST_COLUMNS = 25


class Sheet:
    """Keeps small copies as pictures come, of MOST_ROWS and MOST_COLUMNS at most.

    Those of a photo that is there already (another size) are left out.
    """

    def __init__(self, painting: Painting, strokes: Sequence[float]):
        self.painting, self.strokes = painting, list(strokes)[:MOST_COLUMNS]
        self.cells: dict[tuple[str, str], dict[float, Tensor]] = {}  # by photo and system
        self.photos: dict[str, Tensor] = {}
        self.largest_px: tuple[int, int] | None = None

    def add(self, system: str, photo: str, stroke: float, picture_13HW: Tensor, photo_13HW: Tensor | None) -> None:
        if self.largest_px is None:
            height, width = picture_13HW.shape[-2:]
            self.largest_px = height, width
        key = (photo, system)
        if stroke not in self.strokes or (key not in self.cells and len(self.cells) >= MOST_ROWS):
            return
        row = self.cells.setdefault(key, {})
        if stroke in row:
            return
        row[stroke] = _small(picture_13HW)
        if photo_13HW is not None and photo not in self.photos:
            self.photos[photo] = _small(photo_13HW)

    def picture(self) -> Tensor:
        """Float (1, 3, H, W). At least one picture must have been added."""
        several = len({system for _, system in self.cells}) > 1
        rows: list[list[Tensor | None]] = [
            [_small(self.painting.render(1.0)), *(self._painting_at(stroke) for stroke in self.strokes)]
        ]
        names = ["painting"]
        for photo, system in sorted(self.cells, key=lambda key: key[0]):
            row = self.cells[photo, system]
            rows.append([self.photos.get(photo), *(row.get(stroke) for stroke in self.strokes)])
            names.append(photo[:LABEL_CHARS] + (f"\n{system[:LABEL_CHARS]}" if several else ""))
        columns = ["photo", *(f"s = {label}" for label in labels(self.strokes))]
        return images.sheet(rows, row_labels=names, column_labels=columns, cell_px=CELL_PX)

    def _painting_at(self, stroke: float) -> Tensor:
        """The middle of S_s, as large as the pictures below it, on white where the painting is smaller."""
        assert self.largest_px is not None
        style = self.painting.render(stroke)
        height, width = (min(*pair) for pair in zip(style.shape[-2:], self.largest_px, strict=True))
        top, left = ((whole - part) // 2 for whole, part in zip(style.shape[-2:], (height, width), strict=True))
        canvas = torch.ones(1, 3, *self.largest_px)
        at = [(whole - part) // 2 for whole, part in zip(self.largest_px, (height, width), strict=True)]
        middle = style[..., top : top + height, left : left + width]
        canvas[..., at[0] : at[0] + height, at[1] : at[1] + width] = middle
        return _small(canvas)


def _small(picture_13HW: Tensor) -> Tensor:
    height, width = picture_13HW.shape[-2:]
    zoom = min(1.0, CELL_PX / max(height, width))
    return images.resize(picture_13HW, max(1, round(height * zoom)), max(1, round(width * zoom)))
