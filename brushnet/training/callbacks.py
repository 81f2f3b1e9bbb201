"""What happens beside the steps: sample grids, and where the data stream stands."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from brushnet import images
from brushnet.data.module import join_counts
from brushnet.training.loggers import ExtraLogger
from brushnet.training.module import VALIDATION_SCALES, StyleTraining

log = logging.getLogger(__name__)

CELL_PX = 256
SHOWN_PHOTOS = 2  # for each of several paintings, at least
SHOWN_PAINTINGS = 24  # with three rows each: JPEG ends at 65,500 px, and nobody looks further


class SampleGrids(pl.Callback):
    """Contact sheets `samples/step_N.jpg`, photos x stroke scales, every N steps and at the end."""

    def __init__(self, folder: Path, photos: Sequence[tuple[str, Tensor]], *, every_steps: int):
        self.folder, self.photos, self.every_steps = folder, photos, every_steps
        self.last_step = -1

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        if trainer.global_step % self.every_steps == 0 and trainer.global_step not in (0, self.last_step):
            self._write(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, StyleTraining)
        # Not where it was asked to stop: an unbroken run has none there, and Slurm may leave only seconds.
        if trainer.global_step >= module.total_steps and trainer.global_step != self.last_step:
            self._write(trainer, module)

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.last_step = trainer.global_step
        if not trainer.is_global_zero:
            return
        assert isinstance(module, StyleTraining)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step_{trainer.global_step:06d}.jpg"
        sheet = sample_sheet(module, self.photos)
        images.write(sheet, path)
        for logger in trainer.loggers:
            if isinstance(logger, ExtraLogger):
                logger.log_picture(path, sheet, step=trainer.global_step)


@torch.no_grad()
def sample_sheet(module: StyleTraining, photos: Sequence[tuple[str, Tensor]]) -> Tensor:
    """For each painting a row of it at each scale, then photos painted like it by the averaged network.

    Several paintings share the photos' rows: as many as of one, but at least two for each.
    """
    scales = module.stroke.inside(VALIDATION_SCALES)
    shown = module.paintings[:SHOWN_PAINTINGS]
    rows: list[list[Tensor | None]] = []
    names: list[str] = []
    for index, painting in enumerate(shown):
        rows.append([None, *(_corner(painting.render(scale)) for scale in scales)])
        names.append(painting.name)
        for name, photo in photos[: max(SHOWN_PHOTOS, len(photos) // len(shown))]:
            on_device, style = photo.to(module.device), torch.tensor([index])
            painted = [module.paint(on_device, torch.tensor([scale]).log2(), style).float().cpu() for scale in scales]
            rows.append([photo, *painted])
            names.append(name)
    labels = ["photo", *(f"s = {scale:g}" for scale in scales)]
    return images.sheet(rows, row_labels=names, column_labels=labels, cell_px=CELL_PX)


def _corner(picture_13HW: Tensor) -> Tensor:
    """The middle of S_s, one cell large and not resized: strokes as large as they should be in the cells below."""
    height, width = picture_13HW.shape[-2:]
    top, left = max(0, (height - CELL_PX) // 2), max(0, (width - CELL_PX) // 2)
    return picture_13HW[..., top : top + CELL_PX, left : left + CELL_PX]


class StreamPosition(pl.Callback):
    """Tells the data module how far the stream was used and what its samples looked at; logs what was bad in it."""

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if data.too_bad():  # on all ranks at once: they have noted the same
            trainer.should_stop = True  # as on a signal, so that all is saved; `run` then says why

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.batches_done = module.batches_done
        data.note(_of_all_ranks(batch["looks"], trainer.world_size))
        data.keeper.start()

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        for cause, count in data.bad_counts().items():
            module.log(f"data/{cause}", float(count), sync_dist=True)  # the same on all ranks

    def on_exception(self, trainer: pl.Trainer, *args: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.keeper.stop()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.keeper.stop()
        if trainer.is_global_zero and (counts := data.bad_counts()):
            places = data.bad_places()
            worst = f"; most of the bad ones in {places}" if places else ""
            log.warning("flawed photos met in data.path: %s%s", join_counts(counts), worst)


@lru_cache(maxsize=1)
def _between_hosts() -> Any:
    """A group of all processes for values of the host: NCCL knows those of GPUs only, which would be waited for."""
    return None if torch.distributed.get_backend() == "gloo" else torch.distributed.new_group(backend="gloo")


def _of_all_ranks(looks: Tensor, ranks: int) -> Tensor:
    """In the order of the ranks. Not by the strategy: its all_gather is for gradients, and deprecated by torch."""
    if ranks == 1:
        return looks
    gathered = [torch.empty_like(looks) for _ in range(ranks)]
    torch.distributed.all_gather(gathered, looks, group=_between_hosts())
    return torch.cat(gathered)
