"""The contact sheet beside several scales: a row a photo, a column a scale."""

import logging
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from brushnet import images
from brushnet.errors import BrushnetError

log = logging.getLogger(__name__)

CELL_PX = 320
LABEL_CHARS = 24  # a camera's or a museum's file name would be wider than the pictures
ROWS = 40  # JPEG ends at 65,500 px, and nobody looks further
_MARK = "brushnet contact sheet"  # by which a sheet is known for ours, to be replaced
_SOFTWARE_TAG = 0x0131


class ContactSheet:
    """Filled in the order of the photos; those beyond the first ROWS are only counted."""

    def __init__(self) -> None:
        self.rows: list[list[Tensor]] = []
        self.row_labels: list[str] = []
        self.photos = 0

    @property
    def full(self) -> bool:
        return len(self.rows) >= ROWS

    def add(self, photo: Path, row: list[Tensor] | None) -> None:
        """None where the photo is painted but not shown."""
        self.photos += 1
        if row is not None and not self.full:
            self.rows.append(row)
            self.row_labels.append(photo.stem[:LABEL_CHARS])

    def write(self, path: Path, labels: Sequence[str]) -> None:
        """Errors as for `images.write`."""
        if self.photos > len(self.rows):
            log.warning("%s shows the first %d of %d photos", path, len(self.rows), self.photos)
        columns = ["photo", *(f"s = {label}" for label in labels)]
        sheet = images.sheet(self.rows, row_labels=self.row_labels, column_labels=columns, cell_px=CELL_PX)
        exif = Image.Exif()
        exif[_SOFTWARE_TAG] = _MARK
        images.write(sheet, path, metadata=images.Metadata(exif=exif.tobytes()))


def is_ours(path: Path) -> bool:
    """Whether a file is a sheet that an earlier run wrote, and not somebody's picture of that name."""
    try:
        return _MARK.encode() in images.read_metadata(path).exif
    except BrushnetError:
        return False


def thumbnail_of_file(path: Path) -> Tensor:
    """Errors as for `images.read`. Of its bytes: as floats, a picture of 12 megapixels would be 144 MB."""
    return images.to_float(thumbnail(images.read_uint8(path)[None]))


def thumbnail(image_13HW: Tensor) -> Tensor:
    """As large as the sheet shows it: whole photos would pile up in memory."""
    height, width = image_13HW.shape[-2:]
    zoom = min(1.0, CELL_PX / max(height, width))
    return images.resize(image_13HW, max(1, round(height * zoom)), max(1, round(width * zoom)))
