"""pack.py: what goes in comes out again; the same folder gives the same bytes; nothing is overwritten by accident."""

import hashlib
import io
import json
import os

import numpy as np
import pytest
import webdataset
from PIL import Image

from brushnet import images
from brushnet.data import pack as pack_module
from brushnet.data.pack import pack
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError, UserError


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def reds(source) -> list[int]:
    return sorted(round(images.decode(source.read(n))[0].float().mean().item() / 3) for n in range(len(source)))


def test_every_photo_comes_out_again(photo_folder, tmp_path):
    report = pack(photo_folder(23), tmp_path / "out", shard_mb=0.003)
    assert (report.written, report.skipped) == (23, [])
    assert report.shards == len(list((tmp_path / "out").glob("*.tar"))) > 2
    source = open_source(str(tmp_path / "out"))
    assert reds(source) == list(range(23))
    assert len(source.groups) == report.shards
    assert len({source.key(n) for n in range(23)}) == 23


def test_the_index_tells_the_truth(shard_folder):
    out = shard_folder(12)
    entry = json.loads((out / "index.json").read_text())["shards"][1]
    data = (out / entry["file"]).read_bytes()
    assert entry["bytes"] == len(data)
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    for sample in entry["samples"]:
        assert data[sample["offset"] :][:2] == b"\xff\xd8"
        assert data[sample["offset"] + sample["size"] - 2 :][:2] == b"\xff\xd9"


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_itself_reads_the_shards(shard_folder):
    out = shard_folder(12)
    tars = [str(path) for path in sorted(out.glob("*.tar"))]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False, empty_check=False))
    listed = [s["key"] for shard in json.loads((out / "index.json").read_text())["shards"] for s in shard["samples"]]
    assert [sample["__key__"] for sample in samples] == listed
    assert all(sample["jpg"][:2] == b"\xff\xd8" for sample in samples)


def test_the_same_folder_gives_the_same_bytes(photo_folder, tmp_path):
    folder = photo_folder(80)  # more than one chunk
    pack(folder, tmp_path / "a", shard_mb=0.02)
    for path in folder.rglob("*.jpg"):
        os.utime(path, (1, 1))
    pack(folder, tmp_path / "b", shard_mb=0.02)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_photos_of_a_shard_are_mixed(shard_folder):
    entry = json.loads((shard_folder(40, per_shard=20) / "index.json").read_text())["shards"][0]
    keys = [sample["key"] for sample in entry["samples"]]
    assert keys != sorted(keys)


def test_large_photos_shrink_small_ones_stay(tmp_path):
    (tmp_path / "in").mkdir()
    for width, height in [(700, 350), (60, 40), (30, 900)]:
        Image.new("RGB", (width, height)).save(tmp_path / "in" / f"{width}.png")
    pack(tmp_path / "in", tmp_path / "out", short_side_px=100)
    source = open_source(str(tmp_path / "out"))
    sizes = {source.key(n).rpartition("-")[0]: tuple(images.decode(source.read(n)).shape) for n in range(3)}
    assert sizes == {"700": (3, 100, 200), "60": (3, 40, 60), "30": (3, 900, 30)}


def test_photos_lie_upright_and_without_metadata(tmp_path):
    (tmp_path / "in").mkdir()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera of Jane Doe"
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:20] = 255  # on top as stored, on the right when upright
    Image.fromarray(pixels).save(tmp_path / "in" / "a.jpg", exif=exif)
    pack(tmp_path / "in", tmp_path / "out")
    data = open_source(str(tmp_path / "out")).read(0)
    assert b"Jane" not in data
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (40, 80)
        assert not picture.getexif()
        assert picture.getpixel((35, 40)) == (255, 255, 255)
        assert picture.getpixel((5, 40)) == (0, 0, 0)


def test_awkward_names_become_distinct_keys_without_dots(jpeg, tmp_path):
    (tmp_path / "in" / "sub.dir").mkdir(parents=True)
    names = [
        "a.jpg",
        "a.jpeg",
        "a.b.jpg",
        "Käse und Brot.jpg",
        "%d %s.jpg",
        "sub.dir/a.jpg",
        "-rf.jpg",
        "n" * 200 + ".jpg",
    ]
    for name in names:
        (tmp_path / "in" / name).write_bytes(jpeg(1))
    assert pack(tmp_path / "in", tmp_path / "out").written == len(names)
    source = open_source(str(tmp_path / "out"))
    keys = {source.key(n) for n in range(len(source))}
    assert len(keys) == len(names)
    assert all(key.isascii() and "." not in key and len(key) < 96 for key in keys)


def test_what_cannot_be_used_is_skipped_and_listed(photo_folder, tmp_path):
    folder = photo_folder(4)
    (folder / "broken.jpg").write_bytes(b"?")
    Image.new("RGB", (99, 1)).save(folder / "line.png")
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere")
    report = pack(folder, tmp_path / "out")
    assert report.written == 4
    assert report.skipped == [
        ("broken.jpg", "not a picture, or of an unknown kind"),
        ("gone.jpg", "No such file or directory"),
        ("line.png", "99 x 1 px: too small, 8 px a side at least"),
    ]


def test_progress_counts_every_photo(photo_folder, tmp_path):
    seen = []
    pack(photo_folder(5), tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(1, 6)]


def test_nothing_is_overwritten_without_force(photo_folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match=r"out is not empty; choose another folder, or replace .* with --force"):
        pack(photo_folder(3), tmp_path / "out")
    assert contents(tmp_path / "out") == {"mine.txt": b"precious"}
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file is a file; -o takes a folder"):
        pack(tmp_path / "photos", tmp_path / "file", force=True)


def test_force_replaces_the_shards_and_nothing_else(shard_folder, photo_folder):
    out = shard_folder(20, per_shard=2)
    (out / "mine.txt").write_text("precious")
    pack(photo_folder(3), out, force=True)
    assert sorted(contents(out)) == ["index.json", "mine.txt", "shard-000000.tar"]
    assert reds(open_source(str(out))) == [0, 1, 2]


def test_a_missing_or_empty_folder_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match=r"folder not found: .*nowhere"):
        pack(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty holds no photos; looked for \.jpg, \.jpeg"):
        pack(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_usable_leaves_the_old_shards(shard_folder, tmp_path):
    out = shard_folder(4)
    before = contents(out)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"?")
    with pytest.raises(BrushnetError, match=r"none of 1 photos in .*bad can be used; the first: a\.jpg: not a picture"):
        pack(tmp_path / "bad", out, force=True)
    assert contents(out) == before


def test_an_interruption_leaves_the_old_shards_and_no_litter(shard_folder, photo_folder):
    out = shard_folder(4)
    before = contents(out)

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(photo_folder(9), out, force=True, shard_mb=0.002, progress=stop)
    assert contents(out) == before


@pytest.mark.parametrize("failing", ["os.replace", "brushnet.data.index.write"])
def test_a_failure_while_publishing_never_leaves_the_folder_without_photos(
    shard_folder, photo_folder, monkeypatch, failing
):
    out = shard_folder(20, per_shard=5)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(failing, fail)
    with pytest.raises(OSError, match="disk full"):
        pack(photo_folder(3), out, force=True)
    monkeypatch.undo()
    kept = {"os.replace": set(range(20)), "brushnet.data.index.write": {0, 1, 2}}[failing]
    assert kept <= set(reds(open_source(str(out))))
    assert len(list(out.glob("*.tar"))) == 4
    assert not list(out.glob(".*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"short_side_px": 7}, "--short-side must be at least 8 px, got 7"),
        ({"shard_mb": 0}, "--shard-mb must be above 0, got 0"),
        ({"shard_mb": float("nan")}, "--shard-mb must be above 0, got nan"),
        ({"quality": 101}, "--quality must lie between 1 and 100, got 101"),
    ],
)
def test_options_out_of_range_are_named(photo_folder, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        pack(photo_folder(1), tmp_path / "out", **options)


def test_shards_follow_the_given_size(shard_folder):
    sizes = [len(shard["samples"]) for shard in json.loads((shard_folder(20, 6) / "index.json").read_text())["shards"]]
    assert sizes == [6, 6, 6, 2]
    assert pack_module.SHARDS % 3 == "shard-000003.tar"
