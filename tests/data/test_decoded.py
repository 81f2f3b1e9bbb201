"""decoded.py: photos in memory are those that were decoded, kept once, and no more of them than fit."""

import itertools
import pickle

import pytest
import torch

from brushnet.data import decoded, photos
from brushnet.data.decoded import Decoded, room_for
from brushnet.data.module import PhotoData


def photo(number: int, size: tuple[int, int] = (4, 6)) -> torch.Tensor:
    return torch.full((3, *size), number, dtype=torch.uint8)


def test_photos_come_back_as_they_were_until_there_is_no_room():
    kept = Decoded(5, max_bytes=200)
    for number, size in enumerate([(4, 6), (2, 9), (10, 10), (4, 6)]):
        kept.put(number, photo(number, size))
    kept.put(0, photo(7))  # another worker was faster
    assert torch.equal(kept.get(0), photo(0))
    assert torch.equal(kept.get(1), photo(1, (2, 9)))
    assert kept.get(2) is None  # too large for what is left
    assert torch.equal(kept.get(3), photo(3))
    assert kept.get(4) is None


def test_a_worker_that_is_no_copy_of_the_process_keeps_nothing():
    kept = Decoded(2, max_bytes=100)
    kept.put(0, photo(0))
    alone = pickle.loads(pickle.dumps(kept))
    alone.put(1, photo(1))
    assert alone.get(0) is None
    assert alone.get(1) is None


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_and_no_photo_is_decoded_twice(photo_folder, monkeypatch, workers):
    folder = photo_folder(12)
    decoding = photos.decode_photo
    count = torch.zeros(1, dtype=torch.int64).share_memory_()

    def counted(data, *, short_side_px):
        count.add_(1)
        return decoding(data, short_side_px=short_side_px)

    monkeypatch.setattr(photos, "decode_photo", counted)
    batches = {}
    for decoded_mb in (0, 1):
        data = PhotoData(path=str(folder), crop_px=16, batch_size=4, seed=0, workers=workers, decoded_mb=decoded_mb)
        data.setup()
        before = int(count)
        batches[decoded_mb] = list(itertools.islice(data.train_dataloader(), 12))
        looked_at = int(count) - before
        if decoded_mb and not workers:
            assert looked_at == len(data.photos.source)
        assert looked_at >= (len(data.photos.source) if decoded_mb else 48)
        assert not decoded_mb or looked_at < 48
    assert all(torch.equal(a[key], b[key]) for a, b in zip(*batches.values(), strict=True) for key in a)


def test_all_photos_are_kept_or_none_unless_it_is_said_how_much(monkeypatch):
    monkeypatch.setattr(decoded, "free_bytes", lambda: 100 << 20)
    one = 3 * 320**2 * 2
    assert room_for(40, short_side_px=320, ranks=1, asked_mb=None) == 40 * one
    assert room_for(40, short_side_px=320, ranks=2, asked_mb=None) == 0  # each has all of them
    assert room_for(50, short_side_px=320, ranks=1, asked_mb=None) == 0
    assert room_for(50, short_side_px=320, ranks=2, asked_mb=4) == 2 << 20
    assert room_for(50, short_side_px=320, ranks=1, asked_mb=0) == 0


def test_no_more_photos_are_kept_once_other_jobs_have_filled_the_memory(monkeypatch):
    free = 100
    monkeypatch.setattr(decoded, "free_bytes", lambda: free)
    monkeypatch.setattr(decoded, "LOOK_BYTES", 72)  # one photo
    kept = Decoded(4, max_bytes=1000, least_free=50)
    kept.put(0, photo(0))
    free = 49
    kept.put(1, photo(1))
    free = 100
    kept.put(2, photo(2))
    assert torch.equal(kept.get(0), photo(0))
    assert kept.get(1) is kept.get(2) is None


@pytest.mark.skipif(not decoded.free_bytes(), reason="the system does not say what is free")
def test_what_is_free_in_a_container_leaves_out_files_that_were_read(monkeypatch, tmp_path):
    monkeypatch.setattr(decoded, "CGROUP", tmp_path)
    whole = decoded.free_bytes()
    for name, text in {"max": "5000", "current": "4500", "stat": "anon 1000\ninactive_file 3000\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert decoded.free_bytes() == 3500 < whole
    (tmp_path / "memory.max").write_text("max\n")
    assert decoded.free_bytes() > 3500


def test_photos_are_decoded_each_time_where_the_system_refuses_the_memory(photo_folder, monkeypatch, caplog):
    def refused(*args, **kwargs):
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr("brushnet.data.module.Decoded", refused)
    data = PhotoData(path=str(photo_folder(8)), crop_px=16, batch_size=4, seed=0, workers=0, decoded_mb=3)
    data.setup()
    assert len(next(iter(data.train_dataloader()))["index"]) == 4
    assert "data.decoded_mb: photos are decoded each time: no 3 MB for them (Cannot allocate memory)" in caplog.text
