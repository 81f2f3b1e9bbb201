"""The Lightning data module: photos for training, endless and resumable; a few fixed ones for validation."""

import hashlib
import math
import os
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from brushnet import images
from brushnet.data import split
from brushnet.data.order import SHUFFLE_GROUPS
from brushnet.data.photos import Batches, Photos
from brushnet.data.reading import Source
from brushnet.data.sources import open_source


class PhotoData(pl.LightningDataModule):
    """Batches of {"photo": uint8 (B, 3, crop_px, crop_px), "index": int64 (B,), the global sample indices}.

    Use with `Trainer(use_distributed_sampler=False)`: the ranks are told apart here. The trainer's module sets
    `batches_done`, its steps so far, after each of them. A checkpoint keeps how many samples all ranks have used by
    then, the whole state of the stream: on another number of devices too it goes on from there.
    """

    def __init__(
        self,
        *,
        path: str,
        val_path: str | None = None,
        source: str = "auto",
        crop_px: int,
        batch_size: int,
        seed: int,
        workers: int = -1,
        val_photos: int = 16,
        allow_pipe: bool = False,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__()
        self.path, self.val_path = path, val_path
        self.crop_px, self.batch_size, self.seed = crop_px, batch_size, seed
        self.workers, self.val_photos = workers, val_photos
        self._open_options: dict[str, Any] = {"source": source, "allow_pipe": allow_pipe, "cache_dir": cache_dir}
        self.batches_done = 0
        self._resumed = {"batches": 0, "samples": 0}
        self.photos: Photos | None = None

    def setup(self, stage: str = "fit") -> None:
        """Open the sources and choose the validation photos; a second call does nothing."""
        if self.photos is not None:
            return
        train = open_source(self.path, option="data.path", **self._open_options)
        self._val_source: Source = train
        if self.val_path is None:
            train, self._val_numbers = split.split(train, self.val_photos)
        else:
            self._val_source = open_source(self.val_path, option="data.val_path", **self._open_options)
            self._val_numbers = split.first_usable(self._val_source, self.val_photos)
        self.photos = Photos(train, seed=self.seed, crop_px=self.crop_px)

    def train_dataloader(self) -> DataLoader:
        assert self.photos is not None, "setup() comes first"
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = Batches(self.batch_size, rank=rank, world_size=world_size, first_batch=self._first_batch())
        workers = auto_workers(self.trainer.num_devices if self.trainer else 1) if self.workers < 0 else self.workers
        return DataLoader(
            self.photos,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader:
        """Centre crops, always the same, in the same order; every rank sees all of them."""
        crops = [_centre_crop(split.load(self._val_source, number), self.crop_px) for number in self._val_numbers]
        samples: Any = [{"photo": crop, "index": index} for index, crop in enumerate(crops)]
        return DataLoader(samples, batch_size=self.batch_size)

    @property
    def validation_batches(self) -> int:
        """Number of validation batches, known without decoding a photo."""
        return math.ceil(len(self._val_numbers) / self.batch_size)

    def sample_photos(self, count: int, px: int) -> list[tuple[str, Tensor]]:
        """(key, float (1, 3, h, w)) of the first validation photos, whole, the short side resized to `px`."""
        chosen = self._val_numbers[:count]
        photos = [images.resize_short_side(split.load(self._val_source, number), px) for number in chosen]
        keys = [self._val_source.key(number) for number in chosen]
        return [(key, images.to_float(photo)[None].contiguous()) for key, photo in zip(keys, photos, strict=True)]

    def fingerprint(self) -> str:
        """Tells which photo has which number in training; not where they lie, and no photo is read for it.

        A digest of all keys in order, of shards also their sizes, and of how many each shard holds, which the order
        depends on. Photos of a folder that were exchanged for others of the same names are not noticed.
        """
        assert self.photos is not None, "setup() comes first"
        source = self.photos.source
        digest = hashlib.blake2b(f"photos 1, {SHUFFLE_GROUPS}, {source.groups}".encode(), digest_size=16)
        for identity in source.identities():
            digest.update(b"\n" + identity.encode())
        return digest.hexdigest()

    def bad_counts(self) -> dict[str, int]:
        """Training photos found flawed so far, by all workers of this rank: {"broken": 1, "enlarged": 3, ...}."""
        return self.photos.counts() if self.photos is not None else {}

    def state_dict(self) -> dict[str, Any]:
        steps = self._first_batch() + self.batches_done - self._resumed["batches"]
        return {"batches": self.batches_done, "samples": steps * self._samples_per_step()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = {key: int(value) for key, value in state_dict.items() if key in ("batches", "samples")}
        self.batches_done = self._resumed["batches"]

    def _first_batch(self) -> int:
        """Rounded up: on another number of devices the samples of a last, partial step are left out, not repeated."""
        if "samples" not in self._resumed:  # a checkpoint of before samples were counted: on as many devices
            return self._resumed["batches"]
        return math.ceil(self._resumed["samples"] / self._samples_per_step())

    def _samples_per_step(self) -> int:
        return self.batch_size * (self.trainer.world_size if self.trainer else 1)


def auto_workers(ranks: int = 1) -> int:
    """Loading processes of one of `ranks` on this machine, for `data.workers=-1`.

    None on 2 cores: a batch of 4 loads in 7 ms there (600 images/s, 320 px JPEGs to 128 px crops), 1 % of a training
    step, while a worker takes the core that the step computes on and brought nothing (400 to 600 images/s).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ranks = max(ranks, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    return 0 if cores <= 2 else min(8, max(1, cores // ranks - 1))


def _centre_crop(photo: Tensor, crop_px: int) -> Tensor:
    """The largest square in the middle of uint8 (3, H, W), resized to crop_px."""
    height, width = photo.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images.resize(photo[:, top : top + side, left : left + side], crop_px, crop_px).contiguous()
