"""module.py: the same batches for any number of workers and ranks; a validation that never changes."""

import io
import itertools
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from brushnet.data.module import PhotoData, auto_workers
from brushnet.data.photos import Batches
from brushnet.data.split import Part
from brushnet.errors import BrushnetError, UserError


def module(path, **options) -> PhotoData:
    data = PhotoData(**{"path": str(path), "crop_px": 16, "batch_size": 4, "seed": 0, "workers": 0, **options})
    data.setup()
    return data


def first_batches(data: PhotoData, count: int) -> list[dict[str, torch.Tensor]]:
    return list(itertools.islice(data.train_dataloader(), count))


def use(data: PhotoData, steps: int) -> list[dict[str, int]]:
    """What is counted after each of that many steps."""
    counted = []
    for batch in itertools.islice(data.train_dataloader(), steps):
        data.batches_done += 1
        data.note(batch["looks"])
        counted.append(data.bad_counts())
    return counted


def same(a: list[dict[str, torch.Tensor]], b: list[dict[str, torch.Tensor]]) -> bool:
    return len(a) == len(b) and all(torch.equal(x[k], y[k]) for x, y in zip(a, b, strict=True) for k in y)


def test_batches_are_uint8_crops_with_their_global_index(photo_folder):
    batch = first_batches(module(photo_folder(10)), 2)[1]
    assert batch["photo"].shape == (4, 3, 16, 16)
    assert batch["photo"].dtype == torch.uint8
    assert batch["photo"].is_contiguous()
    assert batch["index"].tolist() == [4, 5, 6, 7]
    assert batch["index"].dtype == torch.int64


@pytest.mark.parametrize("kind", ["folder", "shards"])
def test_batches_are_the_same_for_0_1_and_2_workers(photo_folder, shard_folder, kind):
    path = photo_folder(12) if kind == "folder" else shard_folder(12)
    alone = first_batches(module(path), 8)  # goes into the third epoch
    assert same(first_batches(module(path, workers=1), 8), alone)
    assert same(first_batches(module(path, workers=2), 8), alone)


def test_replaced_photos_are_the_same_for_any_number_of_workers(photo_folder):
    folder = photo_folder(12)
    for number in range(4):
        (folder / f"broken{number}.jpg").write_bytes(b"no picture")
    alone = first_batches(module(folder), 8)
    assert same(first_batches(module(folder, workers=2), 8), alone)


def test_starting_at_a_batch_equals_skipping_to_it(photo_folder):
    folder = photo_folder(10)
    unbroken = first_batches(module(folder), 7)
    data = module(folder)
    data.batches_done = 3
    resumed = module(folder)
    resumed.load_state_dict(data.state_dict())
    assert same(first_batches(resumed, 4), unbroken[3:])
    assert position(resumed) == {"batches": 3, "samples": 12, "ranks": 1}


@pytest.mark.parametrize("samples", [0, 40, 58 * 1000 + 7])
def test_a_stream_starts_anywhere_without_reading_what_is_before(shard_folder, samples, monkeypatch):
    data, read = module(shard_folder(60)), []
    data.load_state_dict({"batches": 1, "samples": samples})
    source = data.photos.source
    monkeypatch.setattr(source, "read", lambda number: read.append(number) or Part.read(source, number))
    first_batches(data, 1)
    assert read == [data.photos.order(samples + each)[1] for each in range(4)]


def on_ranks(data: PhotoData, world_size: int, rank: int = 0) -> PhotoData:
    trainer = {"global_rank": rank, "world_size": world_size, "num_devices": world_size}
    data.trainer = type("Trainer", (), trainer)()
    return data


def position(data: PhotoData) -> dict[str, int]:
    return {key: value for key, value in data.state_dict().items() if key != "looks"}


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 4), (3, 2), (2, 2)])
def test_on_another_number_of_devices_each_sample_is_used_once(photo_folder, before, after, caplog):
    folder = photo_folder(10)
    data = on_ranks(module(folder), before)
    data.batches_done = 3  # of 4 photos each
    used = []
    for rank in range(after):
        resumed = on_ranks(module(folder), after, rank)
        with caplog.at_level(logging.INFO):
            resumed.load_state_dict(data.state_dict())
        used += [index for batch in first_batches(resumed, 2) for index in batch["index"].tolist()]
        resumed.batches_done += 2  # the trainer's module goes on counting its own steps
        assert position(resumed) == {"batches": 5, "samples": 12 * before + 8 * after, "ranks": after}
    assert sorted(used) == list(range(12 * before, 12 * before + 8 * after))
    told = f"resumed on {after} devices instead of {before}: each sample of an epoch is still used once, but a step"
    assert (f"{told} takes others together: exact in coverage, not in bits" in caplog.text) == (before != after)


def test_a_checkpoint_that_holds_batches_alone_is_still_read(photo_folder):
    data = on_ranks(module(photo_folder(10)), 2, rank=1)
    data.load_state_dict({"batches": 3})
    assert first_batches(data, 1)[0]["index"].tolist() == [28, 29, 30, 31]
    assert position(data) == {"batches": 3, "samples": 24, "ranks": 2}


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        ({"batches": -1}, "damaged: batches must be a number from 0, got -1"),
        ({"samples": "12"}, "damaged: samples must be a number from 0, got '12'"),
        ({"samples": True}, "damaged: samples must be a number from 0, got True"),
        ({"samples": 2**53}, "damaged: samples must be a number from 0, got 9007199254740992"),
        ({"ranks": 0}, "damaged: ranks must be a number from 1, got 0"),
        ({"looks": [1] * 9}, "not of these 9 photos: its looks do not fit"),
        ({"looks": torch.zeros(8, dtype=torch.uint8)}, "not of these 9 photos: its looks do not fit"),
        ({"looks": torch.zeros(9)}, "not of these 9 photos: its looks do not fit"),
        ({"looks": torch.full((9,), 9, dtype=torch.uint8)}, "not of these 9 photos: its looks do not fit"),
    ],
)
def test_a_position_that_nobody_saved_is_refused(photo_folder, damage, cause):
    data = module(photo_folder(10))
    with pytest.raises(UserError, match=rf"^the checkpoint's data state is {cause}$"):
        data.load_state_dict({**data.state_dict(), **damage})


@pytest.fixture
def flawed_folder(photo_folder):
    """Twenty good photos, six broken ones, one of a line, one that a link leads nowhere from."""
    folder = photo_folder(20, size=(24, 20))
    for number in range(6):
        (folder / f"broken{number}.jpg").write_bytes(b"?")
    Image.new("RGB", (50, 1)).save(folder / "line.png")
    (folder / "gone.jpg").symlink_to("nowhere")
    return folder


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
def test_what_is_counted_is_the_same_for_any_number_of_workers_and_after_a_resume(flawed_folder):
    counted = use(module(flawed_folder, crop_px=22), 9)
    assert counted[-1] == {"broken": 6, "too small": 1, "unreadable": 1, "enlarged": 19}
    assert 0 < sum(counted[1].values()) < sum(counted[-1].values())
    for workers in (1, 2, 4):
        assert use(module(flawed_folder, crop_px=22, workers=workers), 9) == counted
    for workers, before in ((0, 1), (2, 4)):
        data = module(flawed_folder, crop_px=22, workers=workers)
        use(data, before)
        resumed = module(flawed_folder, crop_px=22, workers=2 - workers)
        resumed.load_state_dict(data.state_dict())
        assert resumed.bad_counts() == counted[before - 1]
        assert use(resumed, 9 - before) == counted[before:]


def test_two_ranks_of_two_see_what_one_of_four_sees(photo_folder):
    folder = photo_folder(10)
    single = first_batches(module(folder, batch_size=4), 3)
    photos = module(folder).photos
    for step, batch in enumerate(single):
        ranks = [next(iter(Batches(2, rank=r, world_size=2, first_sample=4 * step))) for r in range(2)]
        joined = torch.stack([photos[index]["photo"] for index in ranks[0] + ranks[1]])
        assert torch.equal(joined, batch["photo"])


def test_the_module_takes_its_rank_from_the_trainer(photo_folder):
    data = module(photo_folder(10))
    data.trainer = type("Trainer", (), {"global_rank": 1, "world_size": 3, "num_devices": 3})()
    assert first_batches(data, 2)[1]["index"].tolist() == [16, 17, 18, 19]


def test_an_epoch_shows_each_training_photo_once(photo_folder):
    data = module(photo_folder(20), crop_px=40)
    size = len(data.photos.source)
    shown = [data.photos[i]["photo"][0].float().mean().item() for i in range(size)]
    assert len({round(red / 3) for red in shown}) == size == 19


def test_other_seeds_give_other_crops_and_another_order(photo_folder):
    folder = photo_folder(10)
    assert not same(first_batches(module(folder, seed=1), 2), first_batches(module(folder), 2))


def test_bad_photos_are_counted_across_workers(photo_folder):
    folder = photo_folder(6)
    (folder / "broken.jpg").write_bytes(b"?")
    Image.new("RGB", (50, 1)).save(folder / "line.png")
    data = module(folder, workers=2, val_path=str(photo_folder(2, "val")))
    use(data, 4)
    assert data.bad_counts() == {"broken": 1, "too small": 1}


def test_validation_batches_are_centre_crops_and_never_change(photo_folder):
    data = module(photo_folder(3), val_path=str(photo_folder(7, "val", size=(80, 40))), val_photos=5, batch_size=2)
    batches = list(data.val_dataloader())
    assert [len(batch["index"]) for batch in batches] == [2, 2, 1]
    assert torch.cat([batch["index"] for batch in batches]).tolist() == list(range(5))
    assert all(batch["photo"].dtype == torch.uint8 for batch in batches)
    assert data.validation_batches == 3
    assert same(batches, list(data.val_dataloader()))
    source, number = data._val_source, data._val_numbers[0]
    red = np.array(Image.open(io.BytesIO(source.read(number)))).mean(axis=(0, 1))[0]
    assert abs(batches[0]["photo"][0, 0].float().mean() - red) < 2


def test_a_broken_photo_is_never_chosen_for_validation(photo_folder, caplog, jpeg):
    folder = photo_folder(0)
    for number in range(12):  # by hash the broken ones would be chosen first often enough
        (folder / f"a{number}.jpg").write_bytes(b"?" if number % 2 else jpeg(number))
    data = module(folder, val_photos=1)
    assert len(data._val_numbers) == 1
    assert next(iter(data.val_dataloader()))["photo"].shape == (1, 3, 16, 16)
    assert len(data.sample_photos(4, 20)) == 1


def test_a_single_photo_serves_for_both_and_says_so(photo_folder, caplog):
    with caplog.at_level(logging.INFO):
        data = module(photo_folder(1))
    assert len(data.photos.source) == len(data._val_numbers) == 1
    assert "too few to hold any out; validation sees training photos" in caplog.text


def test_a_folder_of_nothing_but_broken_photos_is_refused_at_once(photo_folder):
    folder = photo_folder(0)
    for number in range(3):
        (folder / f"a{number}.jpg").write_bytes(b"?")
    with pytest.raises(
        BrushnetError, match=r"none of the first 3 looked at in 3 photos in the folder .* the last one: not a picture"
    ):
        module(folder)


@pytest.mark.parametrize("kind", ["folder", "shards"])
def test_the_fingerprint_stays_when_the_photos_are_moved(photo_folder, shard_folder, tmp_path, kind):
    path = photo_folder(20) if kind == "folder" else shard_folder(20)
    before = module(path).fingerprint()
    moved = path.rename(tmp_path / "elsewhere")
    assert module(moved).fingerprint() == before
    assert module(moved, seed=3, crop_px=8, val_photos=1).fingerprint() == before


def test_the_fingerprint_tells_other_photos_others_in_a_shard_and_others_held_out(photo_folder, shard_folder):
    folder = photo_folder(20)
    found = [module(folder).fingerprint(), module(folder, val_path=str(photo_folder(1, "val"))).fingerprint()]
    (folder / "p001.jpg").rename(folder / "q001.jpg")
    found.append(module(folder).fingerprint())
    found += [module(shard_folder(20, each, name=f"by {each}")).fingerprint() for each in (5, 7)]
    assert len(set(found)) == 5


def test_sample_photos_are_whole_named_and_resized(photo_folder):
    data = module(photo_folder(3), val_path=str(photo_folder(6, "val", size=(80, 40))))
    samples = data.sample_photos(4, 20)
    assert len(samples) == 4
    assert all(photo.shape == (1, 3, 20, 40) and photo.dtype == torch.float32 for _, photo in samples)
    assert all(key.endswith(".jpg") for key, _ in samples)
    assert max(photo.max() for _, photo in samples) <= 1


def test_setup_twice_keeps_what_is_counted(photo_folder):
    data = module(photo_folder(3))
    photos = data.photos
    data.setup("fit")
    assert data.photos is photos


def test_auto_workers_leaves_two_cores_to_the_training(monkeypatch):
    cores = lambda count: monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(count)), raising=False)  # noqa: E731
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    cores(2)
    assert auto_workers() == 0
    cores(4)
    assert auto_workers() == 3
    cores(64)
    assert auto_workers() == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "32")
    assert auto_workers() == 1


def test_ranks_that_the_trainer_starts_share_the_cores(photo_folder, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    data = module(photo_folder(4), workers=-1)
    assert on_ranks(data, 4).train_dataloader().num_workers == 3
    assert on_ranks(data, 1).train_dataloader().num_workers == 15
