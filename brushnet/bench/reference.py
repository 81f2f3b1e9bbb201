"""scripts/bench/reference_trainer.py, which knows nothing of brushnet, as a module: what is compared with."""

import importlib
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from brushnet.bench.clock import Clock
from brushnet.bench.rates import matmul_precision
from brushnet.bench.work import Work, work_of
from brushnet.data.photos import decode_photo
from brushnet.data.reading import Source
from brushnet.errors import BrushnetError, ImageError

FILE = "reference_trainer.py"
PHOTOS = 64  # as many as there are, at most: what is compared is speed


@lru_cache(maxsize=1)
def reference_module() -> ModuleType:
    """From the repository, or of an installed wheel, which carries a copy."""
    package = Path(__file__).parents[1]
    inside, outside = package / "bench" / FILE, package.parent / "scripts" / "bench" / FILE
    if inside.is_file():
        return importlib.import_module("brushnet.bench.reference_trainer")
    if not outside.is_file():
        raise BrushnetError(f"the reference trainer is missing (no {inside}): install brushnet anew")
    if str(outside.parent) not in sys.path:
        sys.path.append(str(outside.parent))  # for good: loading processes that start anew import it too
    return importlib.import_module("reference_trainer")


class Reference:
    """The reference trainer as torch sets it up by default, whatever brushnet's own training has changed."""

    def __init__(
        self,
        photos: list[bytes],
        painting_13HW: Tensor,
        *,
        batch_size: int,
        crop_px: int,
        workers: int,
        device: torch.device,
        vgg: Mapping[str, Tensor] | None = None,
        arch: str = "vgg16",
    ):
        self.batch_size = batch_size
        with matmul_precision("highest"):
            self.trainer = reference_module().ReferenceTrainer(
                photos,
                painting_13HW,
                batch_size=batch_size,
                size=crop_px,
                workers=workers,
                device=device,
                vgg_weights=vgg,
                arch=arch,
            )
        self.work: Work | None = None

    def warm_up(self) -> None:
        """Two steps, in the first of which its work is counted."""
        self.work = work_of(self.step)
        self.step()

    def step(self) -> float:
        with matmul_precision("highest"):
            return self.trainer.step()

    def paint(self, photo_B3HW: Tensor) -> Tensor:
        """From and to [0, 1]."""
        with matmul_precision("highest"):
            return self.trainer.net(photo_B3HW * 255) / 255

    def losses(self, painting_B3HW: Tensor, photo_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Its content and style loss of pictures in [0, 1], before their weights."""
        with matmul_precision("highest"):
            return self.trainer.losses(painting_B3HW * 255, photo_B3HW * 255)

    def block(self, clock: Clock, *, seconds: float, settle: int) -> tuple[int, float]:
        """Steps, one at least, and the seconds they took; before it `settle` steps, in which its loader runs empty."""
        begun = clock()
        for _ in range(settle):
            self.step()
            if clock.now() - begun > seconds / 2:
                break
        begun, steps = clock(), 0
        while not steps or clock.now() - begun < seconds:
            self.step()
            steps += 1
        return steps, clock() - begun


def arch_of(state: Mapping[str, Tensor]) -> str | None:
    """Which of the reference's networks these weights are of, in torchvision's layout; None where of neither."""
    module = reference_module()
    for arch in module.ARCHITECTURES:
        wanted = {
            f"features.{name}": value.shape for name, value in module.Vgg(arch=arch).features.state_dict().items()
        }
        if all(name in state and state[name].shape == shape for name, shape in wanted.items()):
            return arch
    return None


def whole_photos(source: Source, *, count: int = PHOTOS) -> list[bytes]:
    """The first photos that can be decoded, as files. BrushnetError where none can."""
    found: list[bytes] = []
    for number in range(len(source)):
        if len(found) == count:
            break
        try:
            content = source.read(number)
            decode_photo(content)
        except (ImageError, OSError):
            continue
        found.append(content)
    if not found:
        raise BrushnetError(f"no photo of {source.describe()} can be decoded")
    return found
