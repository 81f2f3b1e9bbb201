"""Copies of the pictures that the page shows, so that the report's folder can be moved or sent as it is."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from brushnet import images
from brushnet.errors import ImageError, UserError
from brushnet.files import write_whole
from brushnet.inference.scales import labels
from brushnet.report.runs import Evaluation

FOLDER = "pictures"
LARGEST_PX = 640  # short side
LARGEST_BYTES = 50_000_000
QUALITY = 88
_SHOWN_BY_BROWSERS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass
class Pictures:
    """Copies into OUT/pictures/, each once; `missing` counts those that are not there or broken."""

    out: Path
    copied: dict[Path, str | None] = field(default_factory=dict)
    missing: int = 0

    def start_over(self) -> None:
        """Pictures of an earlier report, whose runs may be gone, are removed."""
        shutil.rmtree(self.out / FOLDER, ignore_errors=True)

    def of(self, evaluation: Evaluation, name: str | None, *, group: str) -> str | None:
        """Address, relative to the page, of a picture in the evaluation's folder; None where it cannot be shown."""
        if name is None:
            return None
        source = evaluation.folder / name
        if source not in self.copied:
            self.copied[source] = self._copy(source, Path(FOLDER) / group / name)
            self.missing += self.copied[source] is None
        return self.copied[source]

    def painting(self, evaluation: Evaluation, *, group: str) -> dict[float, str]:
        """The painting's own strokes by scale."""
        scales = evaluation.scales
        named = zip(scales, labels(scales), strict=True)
        found = {scale: self.of(evaluation, f"painting_s{label}.jpg", group=group) for scale, label in named}
        return {scale: address for scale, address in found.items() if address}

    def photos(self, evaluation: Evaluation, *, group: str) -> dict[str, str]:
        found = {photo: self.of(evaluation, _file_name(photo), group=group) for photo in evaluation.photos}
        return {photo: address for photo, address in found.items() if address}

    def _copy(self, source: Path, target: Path) -> str | None:
        """As it is where it is small. Decoded first: a file of that name need not be a picture."""
        try:
            if source.suffix.lower() not in _SHOWN_BY_BROWSERS or not 0 < _bytes(source) <= LARGEST_BYTES:
                return None
            pixels = images.read_uint8(source, short_side_px=LARGEST_PX)
            if min(images.size(source)) <= LARGEST_PX:
                write_whole(self.out / target, source.read_bytes(), flushed=False)
            else:
                small = images.resize_short_side(images.to_float(pixels)[None], LARGEST_PX)
                images.write(small, self.out / target, quality=QUALITY)
        except (ImageError, UserError):
            return None
        return address(target.parts)


def address(parts: Iterable[str]) -> str:
    """Relative, as a page needs it: names may hold whatever a folder's name can."""
    return "/".join(quote(part, safe="") for part in parts)


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0  # a pipe would be waited for


def _file_name(photo: str) -> str:
    """A photo's name comes from a file and may hold a folder's sign."""
    return "" if "/" in photo or "\\" in photo or photo.startswith(".") else f"{photo}.jpg"
