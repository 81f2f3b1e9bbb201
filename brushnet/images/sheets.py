"""Contact sheets: many pictures on one, with labels."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from brushnet.images.encoding import to_pillow
from brushnet.images.pixels import resize, to_float, to_uint8


def sheet(
    rows: Sequence[Sequence[Tensor | None]],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    cell_px: int = 256,
    gap_px: int = 6,
) -> Tensor:
    """Contact sheet, float (1, 3, H, W), of (1, 3, h, w) pictures in [0, 1]; None leaves a cell blank.

    Each picture is fitted into cell_px x cell_px; rows and columns are only as large as what they hold.
    """
    cells = [[None if cell is None else to_pillow(_fit(cell, cell_px)) for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    font_px = max(11, cell_px // 14)
    font = ImageFont.load_default(size=font_px)
    label_px = max((int(font.getlength(label)) for label in row_labels), default=-gap_px) + gap_px
    header_px = int(font_px * 1.4) if column_labels else 0
    sizes = [[cell.width for row in cells for cell in row[column : column + 1] if cell] for column in range(columns)]
    widths = [max(size, default=cell_px) for size in sizes]
    heights = [max((cell.height for cell in row if cell), default=cell_px) for row in cells]
    lefts = np.cumsum([gap_px + label_px, *[width + gap_px for width in widths]])
    tops = np.cumsum([gap_px + header_px, *[height + gap_px for height in heights]])
    canvas = Image.new("RGB", (int(lefts[-1]), int(tops[-1])), "white")
    draw = ImageDraw.Draw(canvas)
    for label, left, width in zip(column_labels, lefts, widths, strict=False):
        draw.text((int(left) + width // 2, gap_px), label, "black", font, anchor="ma")
    for label, top, height in zip(row_labels, tops, heights, strict=False):
        draw.text((gap_px, int(top) + height // 2), label, "black", font, anchor="lm")
    for row, top, height in zip(cells, tops, heights, strict=False):
        for cell, left, width in zip(row, lefts, widths, strict=False):
            if cell is not None:
                canvas.paste(cell, (int(left) + (width - cell.width) // 2, int(top) + (height - cell.height) // 2))
    return to_float(torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous())[None]


def _fit(image_13HW: Tensor, cell_px: int) -> Tensor:
    height, width = image_13HW.shape[-2:]
    scale = cell_px / max(height, width)
    image = to_uint8(image_13HW.detach()[0]).cpu()
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
