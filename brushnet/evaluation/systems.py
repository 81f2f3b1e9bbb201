"""What is evaluated: a system (a trained model, or a folder of pictures) as one task for each photo and size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from brushnet import images
from brushnet.errors import ImageError, UserError
from brushnet.measure.control import evenly

TOLERANCE = 1.0001  # 2.8 in float32 is not 2.8


class Opened(NamedTuple):
    """A photo, None where only its paintings are at hand, and what paints it at a stroke scale."""

    photo: Tensor | None
    paint: Callable[[float], Tensor]


@dataclass(frozen=True)
class Task:
    """One photo at several stroke scales. `open` raises ImageError or UserError for what cannot be read any more."""

    photo: str
    strokes: tuple[float, ...]
    open: Callable[[], Opened]
    file: Path
    size_px: int | None = None


@dataclass(frozen=True)
class System:
    name: str
    tasks: list[Task]
    trained: tuple[float, float] | None = None  # stroke range; None where it is not known
    mode: str | None = None  # stroke.mode of a model
    lossnet: str | None = None  # that trained it
    style: str | None = None  # of a model: the painting, by the model's name for it
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # unreadable, with the cause

    def seen(self, stroke: float) -> bool:
        """Whether this scale was trained; of a system that does not say, every one counts as such."""
        return self.trained is None or self.trained[0] / TOLERANCE <= stroke <= self.trained[1] * TOLERANCE


class Photos:
    """A folder of photos by name: the path below it without suffix."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files = {_name(file, folder): file for file in reversed(images.list_images(folder))}

    def some(self, count: int, *, largest_px: int) -> tuple[dict[str, Tensor], list[tuple[Path, str]]]:
        """At most `count` photos evenly over the folder, uint8 (3, H, W), shrunk to `largest_px`; and the unreadable.

        UserError where none is left.
        """
        found: dict[str, Tensor] = {}
        skipped = []
        for name in evenly(sorted(self.files), count):
            try:
                pixels = images.read_uint8(self.files[name], short_side_px=largest_px)
            except (ImageError, UserError) as error:
                skipped.append((self.files[name], str(error)))
                continue
            found[name] = images.resize_short_side(pixels, min(largest_px, *pixels.shape[-2:]))
        if not found:
            causes = f"; {skipped[0][0]}: {skipped[0][1]}" if skipped else f" of {', '.join(images.SUFFIXES)}"
            raise UserError(f"--content {self.folder}: at least one readable photo is needed{causes}")
        return found, skipped

    def find(self, name: str) -> Path | None:
        """The photo of that name, or the only one in any folder below whose file is called so."""
        namesakes = [file for file in self.files.values() if file.stem == Path(name).name]
        return self.files.get(name) or (namesakes[0] if len(namesakes) == 1 else None)


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()
