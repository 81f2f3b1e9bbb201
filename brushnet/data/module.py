"""The Lightning data module: photos for training, endless and resumable; a few fixed ones for validation."""

import hashlib
import logging
import math
import os
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from brushnet import images
from brushnet.data import split
from brushnet.data.decoded import Decoded, free_bytes, room_for
from brushnet.data.keeper import Keeper
from brushnet.data.looks import Looks
from brushnet.data.order import SHUFFLE_GROUPS
from brushnet.data.photos import Batches, Photos
from brushnet.data.reading import Source
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError, UserError
from brushnet.stop_signals import ignore

log = logging.getLogger(__name__)

NAMED_PHOTOS = 5  # of the bad ones in a shard or folder


class PhotoData(pl.LightningDataModule):
    """Batches of {"photo": uint8 (B, 3, crop_px, crop_px), "index": int64 (B,), the global sample indices, "looks"}.

    Use with `Trainer(use_distributed_sampler=False)`: the ranks are told apart here. The trainer's module sets
    `batches_done`, its steps so far, after each of them, and notes what the samples of all ranks looked at. A
    checkpoint keeps both, and how many samples all ranks have used, the whole state of the stream: on another number of
    devices too each sample of an epoch is used once.
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
        max_bad_fraction: float = 0.25,
        decoded_mb: int | None = None,
    ) -> None:
        super().__init__()
        self.path, self.val_path = path, val_path
        self.crop_px, self.batch_size, self.seed = crop_px, batch_size, seed
        self.workers, self.val_photos = workers, val_photos
        self._open_options: dict[str, Any] = {"source": source, "allow_pipe": allow_pipe, "cache_dir": cache_dir}
        self.max_bad_fraction, self.decoded_mb = max_bad_fraction, decoded_mb
        self.batches_done = 0
        self._resumed: dict[str, int] = {"batches": 0, "samples": 0}
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
        self.looks = Looks(len(train))
        photos = self.photos
        self.keeper = Keeper(train.remote, came=lambda place: photos.forget(place.name))

    def train_dataloader(self) -> DataLoader:
        assert self.photos is not None, "setup() comes first"
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = Batches(self.batch_size, rank=rank, world_size=world_size, first_sample=self._first_sample())
        self.photos.decoded = self.photos.decoded or self._memory_for(self.photos)
        workers = auto_workers(self.trainer.num_devices if self.trainer else 1) if self.workers < 0 else self.workers
        return DataLoader(
            self.photos,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=ignore,
            pin_memory=torch.cuda.is_available(),
        )

    def _memory_for(self, photos: Photos) -> Decoded | None:
        ranks = max(self.trainer.num_devices if self.trainer else 1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        count = len(photos.source)
        room = room_for(count, short_side_px=photos.short_side_px, ranks=ranks, asked_mb=self.decoded_mb)
        try:
            least_free = free_bytes() / 2 if self.decoded_mb is None else 0
            return Decoded(count, max_bytes=room, least_free=least_free) if room else None
        except (OSError, OverflowError) as error:
            log.warning("data.decoded_mb: photos are decoded each time: no %d MB for them (%s)", room >> 20, error)
            return None

    def transfer_batch_to_device(
        self, batch: dict[str, Tensor], device: torch.device, dataloader_idx: int
    ) -> dict[str, Tensor]:
        """The photos alone: what is drawn for them, and noted of them, is the host's."""
        return {**batch, "photo": batch["photo"].to(device, non_blocking=True)}

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

    def note(self, looks: Tensor) -> None:
        """What the samples of one step looked at, those of all ranks, in the same order on each of them."""
        self.looks.note(looks)

    def bad_counts(self) -> dict[str, int]:
        """Training photos found flawed by the samples used so far: {"broken": 1, "enlarged": 3, "lost": 2}."""
        lost = self.photos.source.lost if self.photos is not None else 0
        return {**self.looks.counts(), **({"lost": lost} if lost else {})}

    def bad_places(self) -> str:
        """The shards or folders that hold most of the bad photos, and some of these; empty where there are none.

        "photos/new (7: new/a.jpg, new/b.jpg, new/f.jpg, ...)"
        """
        assert self.photos is not None, "setup() comes first"
        source, told = self.photos.source, []
        for place, numbers in self.looks.worst(source.place):
            keys = [source.key(number) for number in numbers[:NAMED_PHOTOS]]
            more = ["..."] if len(numbers) > len(keys) else []
            told.append(f"{place} ({len(numbers)}: {', '.join([*keys, *more])})")
        return ", ".join(told)

    def too_bad(self) -> bool:
        """Whether more photos are bad than `max_bad_fraction` allows; the same on every rank."""
        return self.looks.too_bad(self.max_bad_fraction)

    def check_fraction(self) -> None:
        """BrushnetError where too many photos are bad."""
        if self.too_bad():
            tally = self.looks.run
            raise BrushnetError(
                f"training stopped: {tally.bad} of {tally.looked} photos looked at cannot be used, more than "
                f"data.max_bad_fraction={self.max_bad_fraction:g} allows: {join_counts(self.bad_counts())}; worst: "
                f"{self.bad_places()}; put whole ones in their place, under the same names, or raise "
                "data.max_bad_fraction, then resume"
            )

    def state_dict(self) -> dict[str, Any]:
        steps = self.batches_done - self._resumed["batches"]
        samples = self._first_sample() + steps * self._samples_per_step()
        return {"batches": self.batches_done, "samples": samples, "ranks": self._ranks(), **self.looks.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """UserError where it is not what was saved, of as many photos. Earlier brushnets saved less."""
        self._resumed = {key: _count(state_dict, key) for key in ("batches", "samples", "ranks") if key in state_dict}
        self._resumed.setdefault("batches", 0)
        self.batches_done = self._resumed["batches"]
        if "looks" in state_dict:
            self.looks.load_state_dict(state_dict)
        if self._resumed.get("ranks", self._ranks()) != self._ranks():
            log.info(
                "resumed on %d devices instead of %d: each sample of an epoch is still used once, but a step takes "
                "others together: exact in coverage, not in bits", self._ranks(), self._resumed["ranks"]
            )  # fmt: skip

    def _first_sample(self) -> int:
        # A checkpoint of before samples were counted: on as many devices.
        return self._resumed.get("samples", self._resumed["batches"] * self._samples_per_step())

    def _ranks(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def _samples_per_step(self) -> int:
        return self.batch_size * self._ranks()


def auto_workers(ranks: int = 1) -> int:
    """Loading processes of one of `ranks` on this machine, for `data.workers=-1`.

    None on 2 cores: a batch of 4 loads in 7 ms there (600 images/s, 320 px JPEGs to 128 px crops), in 3 ms once its
    photos are decoded, 2 to 4 % of a training step, while a worker takes the core that the step computes on and brought
    nothing (400 to 600 images/s). At most 16: a photo of 480 x 320 px takes one of them 3 ms (1 ms once decoded) for a
    crop of 256 px, and a GPU that trains asks for a few thousand a second.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ranks = max(ranks, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    return 0 if cores <= 2 else min(16, max(1, cores // ranks - 1))


def join_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in counts.items())


def _count(state_dict: dict[str, Any], key: str) -> int:
    value, least = state_dict[key], int(key == "ranks")
    if type(value) is not int or not least <= value < 2**53:
        cause = f"{key} must be a number from {least}, got {value!r:.60}"
        raise UserError(f"the checkpoint's data state is damaged: {cause}")
    return value


def _centre_crop(photo: Tensor, crop_px: int) -> Tensor:
    """The largest square in the middle of uint8 (3, H, W), resized to crop_px."""
    height, width = photo.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images.resize(photo[:, top : top + side, left : left + side], crop_px, crop_px).contiguous()
