"""photos.py: crops by global index; bad photos are replaced, counted and logged."""

import io
import itertools
import logging
import re
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from torch._utils import ExceptionWrapper  # what carries an error out of a DataLoader's worker

from brushnet.data import reading
from brushnet.data.looks import Looks
from brushnet.data.pack import pack
from brushnet.data.photos import MAX_TRIES, Batches, Photos
from brushnet.data.reading import Folder
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError


def test_ranks_go_on_from_any_sample_without_a_gap():
    ranks = [next(iter(Batches(3, rank=rank, world_size=2, first_sample=7))) for rank in range(2)]
    assert ranks == [[7, 8, 9], [10, 11, 12]]


def test_ranks_share_the_stream_out_without_overlap():
    ranks = [[b for b, _ in zip(Batches(3, rank=rank, world_size=2), range(4), strict=False)] for rank in range(2)]
    together = [index for pair in zip(*ranks, strict=True) for batch in pair for index in batch]
    assert together == list(range(24))


def test_crops_vary_in_place_size_and_side_but_never_leave_the_photo(tmp_path):
    ramp = np.zeros((100, 200, 3), np.uint8)
    ramp[..., 0] = np.arange(200)
    ramp[..., 1] = np.arange(100)[:, None]
    (tmp_path / "one").mkdir()
    Image.fromarray(ramp).save(tmp_path / "one" / "a.png")
    photos = Photos(Folder(tmp_path / "one"), seed=0, crop_px=20)
    crops = torch.stack([photos[i]["photo"] for i in range(200)]).float()
    flipped = crops[:, 0, 0, 0] > crops[:, 0, 0, -1]
    assert 60 < flipped.sum() < 140
    heights = (crops[:, 1, -1, 0] - crops[:, 1, 0, 0]) * 20 / 19
    assert 38 < heights.min() < 45  # 0.4 of the short side
    assert 92 < heights.max() < 102
    assert 59 < heights.median() < 67  # log-uniform: geometric mean 63, not the middle, 70
    widths = (crops[:, 0, 0, -1] - crops[:, 0, 0, 0]).abs() * 20 / 19
    assert (widths - heights).abs().max() < 4  # square


def test_one_broken_jpeg_is_counted_once_and_the_others_are_used(photo_folder, caplog, jpeg):
    folder = photo_folder(9)
    (folder / "cut.jpg").write_bytes(jpeg(80)[:300])
    photos = Photos(open_source(str(folder)), seed=0, crop_px=40)
    with caplog.at_level(logging.WARNING):
        reds = {round(photos[i]["photo"][0].float().mean().item() / 3) for i in range(30)}
    assert reds == set(range(9))
    assert photos.counts() == {"broken": 1}
    assert caplog.messages == [m for m in caplog.messages if "photo cut.jpg left out: broken picture" in m]
    assert len(caplog.messages) == 1
    assert "(so far: 1 broken)" in caplog.text


def test_many_broken_photos_are_logged_at_most_once_a_second(photo_folder, caplog):
    folder = photo_folder(20)
    for number in range(10):
        (folder / f"broken{number}.jpg").write_bytes(b"?")
    photos = Photos(open_source(str(folder)), seed=0, crop_px=16)
    with caplog.at_level(logging.WARNING):
        for index in range(30):
            photos[index]
    assert photos.counts() == {"broken": 10}
    assert len(caplog.messages) < 3


def test_a_photo_one_pixel_high_is_left_out_and_says_why(photo_folder, caplog):
    folder = photo_folder(4)
    Image.new("RGB", (300, 1)).save(folder / "line.png")
    photos = Photos(open_source(str(folder)), seed=0, crop_px=16)
    with caplog.at_level(logging.WARNING):
        for index in range(5):
            photos[index]
    assert "photo line.png left out: 300 x 1 px: too small, 8 px a side at least" in caplog.text
    assert photos.counts() == {"too small": 1}


def test_a_photo_smaller_than_the_crop_is_enlarged_and_counted(photo_folder):
    photos = Photos(open_source(str(photo_folder(3))), seed=0, crop_px=64)
    assert photos[0]["photo"].shape == (3, 64, 64)
    assert photos.counts() == {"enlarged": 1}


def test_a_photo_that_vanishes_is_replaced(photo_folder):
    folder = photo_folder(5)
    source = open_source(str(folder))
    (folder / "p001.jpg").unlink()
    photos = Photos(source, seed=0, crop_px=16)
    for index in range(5):
        photos[index]
    assert photos.counts() == {"unreadable": 1}


def test_a_photo_that_is_tried_in_vain_again_is_told_once(photo_folder, caplog, monkeypatch):
    folder = photo_folder(3)
    photos = Photos(open_source(str(folder)), seed=0, crop_px=40)
    (folder / "p001.jpg").rename(folder / "away")
    clock = itertools.count(step=10.0)
    monkeypatch.setattr("brushnet.data.photos.time.monotonic", lambda: next(clock))
    with caplog.at_level(logging.WARNING):
        for index in range(30):
            photos[index]
    told = "photo p001.jpg left out: No such file or directory (so far: 1 unreadable)"
    assert caplog.messages == [told]


def test_a_shard_that_vanishes_is_named(tmp_path, photo_folder, caplog):
    pack(photo_folder(3), tmp_path / "shards")
    photos = Photos(open_source(str(tmp_path / "shards")), seed=0, crop_px=40)
    [shard] = (tmp_path / "shards").glob("*.tar")
    shard.rename(tmp_path / "away")
    with caplog.at_level(logging.WARNING), pytest.raises(BrushnetError, match="in a row cannot be used"):
        photos[0]
    assert re.search(rf"left out: {re.escape(str(shard))}: No such file or directory \(so far", caplog.text)


def test_camera_sized_jpegs_are_decoded_small_enough_to_be_quick_and_large_enough_to_crop(tmp_path):
    (tmp_path / "big").mkdir()
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((1600, 1200)).convert("RGB").save(buffer, "JPEG")
    (tmp_path / "big" / "a.jpg").write_bytes(buffer.getvalue())
    photos = Photos(Folder(tmp_path / "big"), seed=0, crop_px=16)
    assert photos._load(0).shape == (3, 150, 200)
    photos[0]
    assert photos.counts() == {}


def test_nothing_but_bad_photos_ends_in_one_line_that_names_the_causes(photo_folder):
    folder = photo_folder(0)
    for number in range(3):
        (folder / f"broken{number}.jpg").write_bytes(b"?")
    Image.new("L", (40, 3)).save(folder / "line.png")
    photos = Photos(open_source(str(folder)), seed=0, crop_px=16)
    message = rf"^{MAX_TRIES + 1} photos in a row cannot be used, from 4 photos in .*: 3 broken, 1 too small$"
    with pytest.raises(BrushnetError, match=message):
        photos[0]
    try:
        photos[0]
    except BrushnetError:
        from_a_worker = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(BrushnetError, match=message) as caught:
        from_a_worker.reraise()
    assert "\n" not in str(caught.value)


def test_a_sample_tells_what_it_looked_at(photo_folder):
    folder = photo_folder(3)
    (folder / "broken.jpg").write_bytes(b"?")
    photos = Photos(open_source(str(folder)), seed=0, crop_px=16)
    looks = Looks(4)
    for index in range(4):
        looks.note(photos[index]["looks"])
    assert looks.counts() == {"broken": 1}
    assert looks.run.looked == 4
    assert len({photos[index]["looks"].shape for index in range(8)}) == 1


def test_what_is_too_large_is_counted_and_not_read_again(photo_folder, monkeypatch, caplog):
    folder = photo_folder(3)
    (folder / "p001.jpg").write_bytes(bytes(5000))
    monkeypatch.setattr(reading, "MAX_PHOTO_BYTES", 4999)
    photos = Photos(open_source(str(folder)), seed=0, crop_px=16)
    for index in range(3):
        photos[index]
    assert photos.counts() == {"too large": 1}
    assert "photo p001.jpg left out: 5000 bytes: more than 0 MiB are not read (so far: 1 too large)" in caplog.text
    monkeypatch.setattr(reading, "_read", lambda *args: pytest.fail("read again"))
    assert photos._look(photos.source.paths.index("p001.jpg"), []) is None


def test_a_decompression_bomb_is_too_large(photo_folder):
    folder = photo_folder(3)
    with (folder / "bomb.bmp").open("wb") as file:
        Image.new("RGB", (8, 8)).save(file, "BMP")
        file.seek(18)
        file.write(struct.pack("<ii", 60_000, 60_000))
    photos = Photos(open_source(str(folder)), seed=0, crop_px=16)
    for index in range(4):
        photos[index]
    assert photos.counts() == {"too large": 1}


def test_what_replaces_a_bad_photo_varies(photo_folder):
    folder = photo_folder(20)
    (folder / "broken.jpg").write_bytes(b"?")
    photos = Photos(open_source(str(folder)), seed=0, crop_px=40)
    broken = [i for i in range(21 * 12) if photos.source.key(photos.order(i)[1]) == "broken.jpg"]
    assert len(broken) == 12
    assert len({round(photos[i]["photo"][0].float().mean().item() / 3) for i in broken}) > 4
