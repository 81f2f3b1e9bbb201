import logging

import pytest
import torch

from brushnet import images
from brushnet.distill import pictures
from brushnet.errors import UserError


def test_a_batch_is_a_function_of_seed_and_step(photos):
    def batch(seed, step):
        return pictures.batch(photos, crop_px=32, size=4, seed=seed, step=step)

    assert torch.equal(batch(0, 3), batch(0, 3))
    assert not torch.equal(batch(0, 3), batch(0, 4))
    assert not torch.equal(batch(0, 3), batch(1, 3))


def test_pictures_are_squares_in_range_even_of_small_photos():
    small = [torch.randint(0, 256, (3, 20, 27), dtype=torch.uint8)]
    batch = torch.cat([pictures.batch(small, crop_px=48, size=8, seed=0, step=step) for step in range(4)])
    assert batch.shape == (32, 3, 48, 48)
    assert 0 <= batch.min() < batch.max() <= 1


def test_paintings_are_made_once_and_after_an_interruption_only_what_is_missing(photos, tmp_path):
    first = pictures.painted(photos, tmp_path, count=3, seed=0)
    kept, lost = (next(tmp_path.glob(f"painted-*/{name}.jpg")) for name in ("00000", "00002"))
    before = kept.stat().st_mtime_ns
    lost.unlink()
    second = pictures.painted(photos, tmp_path, count=3, seed=0)
    assert kept.stat().st_mtime_ns == before
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], images.resize(photos[0], *first[0].shape[-2:]))


def test_another_seed_or_other_photos_have_paintings_of_their_own(photos, tmp_path):
    first = pictures.painted(photos, tmp_path, count=1, seed=0)
    assert not torch.equal(first[0], pictures.painted(photos, tmp_path, count=1, seed=1)[0])
    assert not torch.equal(first[0], pictures.painted(photos[1:], tmp_path, count=1, seed=0)[0])


def test_large_photos_are_shrunk(tmp_path):
    images.write(torch.rand(1, 3, 1100, 1300), tmp_path / "large.jpg")
    assert [tuple(photo.shape) for photo in pictures.load_photos([tmp_path])] == [(3, 512, 605)]


def test_an_unreadable_photo_is_skipped_counted_and_named(photos_dir, caplog):
    (photos_dir / "junk.jpg").write_bytes(b"junk")
    with caplog.at_level(logging.WARNING):
        assert len(pictures.load_photos([photos_dir])) == 12
    assert "skipped 1 unreadable pictures: junk.jpg (not a picture" in caplog.text


def test_no_photo_at_all_is_an_error(tmp_path):
    with pytest.raises(UserError, match=rf"no readable picture in {tmp_path}"):
        pictures.load_photos([tmp_path])
