"""sources.py: folders, shards, globs, braces and lists; what is missing or not allowed is named."""

import contextlib
import io
import json
import pickle
import tarfile

import pytest

from brushnet import images
from brushnet.data import sources
from brushnet.data.module import PhotoData
from brushnet.data.reading import Folder, Joined, Shards
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError, UserError


def reds(source) -> list[int]:
    return sorted(round(images.decode(source.read(n))[0].float().mean().item() / 3) for n in range(len(source)))


def test_auto_tells_a_folder_of_photos_from_one_of_shards(photo_folder, shard_folder):
    photos, shards = open_source(str(photo_folder(7))), open_source(str(shard_folder(7)))
    assert isinstance(photos, Folder)
    assert isinstance(shards, Shards)
    assert reds(photos) == reds(shards) == list(range(7))
    assert photos.groups == [7]
    assert shards.groups == [5, 2]
    assert photos.describe().startswith("7 photos in the folder ")
    assert shards.describe().startswith("7 photos in 2 shards of ")


def test_the_kind_can_be_chosen(photo_folder, shard_folder):
    folder = shard_folder(6)
    (folder / "photo.jpg").write_bytes((photo_folder(1) / "more" / "p000.jpg").read_bytes())
    assert len(open_source(str(folder), source="folder")) == 1
    assert len(open_source(str(folder), source="shards")) == len(open_source(str(folder))) == 6
    with pytest.raises(UserError, match=r"data\.source must be one of auto, folder, shards, got tape"):
        open_source(str(folder), source="tape")


def test_one_tar_a_glob_braces_and_lists(shard_folder, monkeypatch):
    folder = shard_folder(18)
    assert [len(open_source(str(folder / path))) for path in ("shard-000002.tar", "*.tar", "shard-00000[01].tar")] == [
        5,
        18,
        10,
    ]
    assert len(open_source(f"{folder}/shard-{{000001..000003}}.tar")) == 13
    assert len(open_source(f"{folder}/shard-000000.tar::{folder}/shard-000003.tar")) == 8
    monkeypatch.setenv("HOME", str(folder))
    assert len(open_source("~/*.tar")) == 18


def test_several_folders_and_shards_are_joined(photo_folder, shard_folder):
    source = open_source(f"{photo_folder(4)}::{shard_folder(7)}::{photo_folder(2, 'two')}")
    assert isinstance(source, Joined)
    assert source.groups == [4, 2, 5, 2]
    assert reds(source) == sorted([*range(4), *range(7), 0, 1])
    assert len({source.key(n) for n in range(6)}) == 4  # two folders hold photos of the same names


def test_a_folder_whose_name_looks_like_a_pattern_means_itself(photo_folder, shard_folder):
    assert len(open_source(str(photo_folder(3, "a{1..3}[x]*")))) == 3
    assert len(open_source(str(shard_folder(3, name="s{1..3}[x]*")))) == 3


def test_shards_without_an_index_are_scanned(shard_folder):
    folder = shard_folder(9)
    indexed = open_source(str(folder))
    (folder / "index.json").unlink()
    scanned = open_source(str(folder))
    assert [scanned.key(n) for n in range(9)] == [indexed.key(n) for n in range(9)]
    assert all(scanned.read(n) == indexed.read(n) for n in range(9))


def test_an_index_of_another_program_is_ignored(shard_folder):
    folder = shard_folder(9)
    (folder / "index.json").write_text('{"__kind__": "wids-shard-index-v1"}')
    assert len(open_source(str(folder))) == 9


def test_a_hostile_index_is_refused(shard_folder):
    folder = shard_folder(9)
    text = (folder / "index.json").read_text()
    (folder / "index.json").write_text(text.replace("shard-000000.tar", "../secret.tar"))
    with pytest.raises(UserError, match=r"index\.json is not a valid .*: file must .*, got '\.\./secret\.tar'"):
        open_source(str(folder))


def cut_in_the_middle_of_the_third_photo(folder) -> None:
    """The second of three shards of five photos each."""
    third = json.loads((folder / "index.json").read_text())["shards"][1]["samples"][2]
    tar = folder / "shard-000001.tar"
    tar.write_bytes(tar.read_bytes()[: third["offset"] + third["size"] // 2])


def test_of_a_shard_cut_in_the_middle_without_an_index_the_rest_is_used_and_the_loss_is_told(shard_folder, caplog):
    folder = shard_folder(15)
    cut_in_the_middle_of_the_third_photo(folder)
    (folder / "index.json").unlink()
    source = open_source(str(folder))
    assert source.groups == [5, 2, 5]
    assert len(reds(source)) == 12
    assert source.lost == 1  # nobody knows what lay behind the cut
    assert "shard-000001.tar is cut off at byte " in caplog.text
    assert "2 photos kept, 1 known to be lost" in caplog.text
    assert "(1 lost where shards are cut off)" in source.describe()


def test_of_a_listed_shard_cut_in_the_middle_the_others_keep_their_numbers(shard_folder, caplog):
    folder = shard_folder(15)
    whole = open_source(str(folder))
    cut_in_the_middle_of_the_third_photo(folder)
    source = open_source(str(folder))
    assert "shard-000001.tar is cut off at byte " in caplog.text
    assert ": 2 of its 5 photos can be read" in caplog.text
    assert list(source.identities()) == list(whole.identities())
    assert source.groups == whole.groups
    for number in (7, 8, 9):
        with pytest.raises(OSError, match=r"^shard-000001\.tar is cut off at byte \d+$"):
            source.read(number)
    assert source.read(6) == whole.read(6)


def test_training_goes_on_with_a_cut_shard_and_reports_it(shard_folder):
    folder = shard_folder(15)
    cut_in_the_middle_of_the_third_photo(folder)
    for lost in ({"unreadable": 2}, {"lost": 1}):  # of the three one would be for validation
        data = PhotoData(path=str(folder), crop_px=16, batch_size=4, seed=0, workers=0)
        data.setup()
        stream = iter(data.train_dataloader())
        for _ in range(8):
            batch = next(stream)
            data.note(batch["looks"])
            assert batch["photo"].shape == (4, 3, 16, 16)
        assert data.bad_counts() == lost
        (folder / "index.json").unlink(missing_ok=True)


@pytest.mark.parametrize("pattern", ["", "/shard-{000000..000002}.tar"])
def test_a_listed_shard_that_is_away_keeps_its_numbers_and_can_come_back(shard_folder, caplog, pattern):
    folder = shard_folder(15)
    whole = open_source(f"{folder}{pattern}")
    tar = folder / "shard-000001.tar"
    away = tar.rename(folder / "away")
    source = open_source(f"{folder}{pattern}")
    told = "shard-000001.tar: No such file or directory; its 5 photos are left out until it can be read"
    assert told in caplog.text
    assert list(source.identities()) == list(whole.identities())
    with pytest.raises(FileNotFoundError):
        source.read(5)
    away.rename(tar)
    assert source.read(5) == whole.read(5)


def test_a_tar_that_nobody_listed_and_that_cannot_be_read_is_named(shard_folder):
    folder = shard_folder(6)
    (folder / "extra.tar").symlink_to("nowhere")
    with pytest.raises(BrushnetError, match=r"extra\.tar cannot be read: No such file or directory$"):
        open_source(str(folder))


def test_an_index_that_cannot_be_read_is_named(shard_folder):
    folder = shard_folder(6)
    (folder / "index.json").unlink()
    (folder / "index.json").mkdir()
    with pytest.raises(BrushnetError, match=r"index\.json cannot be read: Is a directory$"):
        open_source(str(folder))


def test_a_shard_replaced_after_indexing_is_read_by_its_own_headers(shard_folder, caplog):
    first, second = shard_folder(4, 9), shard_folder(7, 9, name="other")
    (first / "shard-000000.tar").write_bytes((second / "shard-000000.tar").read_bytes())
    assert reds(open_source(str(first))) == list(range(7))
    told = "shard-000000.tar is not what its index says: it is read by its own headers, 7 photos instead of 4"
    assert told in caplog.text


def write_tar(path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_a_shard_of_the_same_size_as_another_is_read_by_its_own_headers(shard_folder, jpeg, caplog):
    folder = shard_folder(10)
    second = folder / "shard-000001.tar"
    size = second.stat().st_size
    write_tar(second, {"a.jpg": jpeg(20, (64, 40)), "b.jpg": jpeg(21), "c.jpg": jpeg(22)})
    assert second.stat().st_size == size
    assert reds(open_source(str(folder)))[-3:] == [20, 21, 22]
    told = "shard-000001.tar is not what its index says: it is read by its own headers, 3 photos instead of 5"
    assert told in caplog.text


def test_samples_without_a_picture_are_told_and_counted(tmp_path, jpeg, caplog):
    members = {"a.jpg": jpeg(1), "a.json": b"{}", "b.json": b"{}", "readme.txt": b"", "c.jpg": jpeg(2)}
    write_tar(tmp_path / "a.tar", members)
    source = open_source(str(tmp_path))
    assert (len(source), source.lost) == (2, 1)
    assert "a.tar: 1 samples without a picture are left out" in caplog.text


def test_sources_travel_to_a_spawned_worker(shard_folder, photo_folder):
    for folder in (shard_folder(6), photo_folder(6)):
        source = open_source(str(folder))
        source.read(0)
        assert pickle.loads(pickle.dumps(source)).read(5) == source.read(5)


@pytest.mark.parametrize("path", ["/nowhere/photos", "nowhere/*.tar", "nowhere-{0..3}.tar", ""])
def test_a_missing_path_is_named_with_what_is_allowed(path):
    with pytest.raises(UserError, match=r"^data\.path=.* does not exist; allowed: a folder of photos, .*joined by ::$"):
        open_source(path)


def test_the_option_that_is_wrong_is_named(photo_folder):
    data = PhotoData(path=str(photo_folder(2)), val_path="/nowhere", crop_px=16, batch_size=1, seed=0)
    with pytest.raises(UserError, match=r"^data\.val_path=/nowhere does not exist"):
        data.setup()


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(UserError, match=r"^data\.path=.* holds no photos; looked for \.jpg, .* and for \.tar shards$"):
        open_source(str(tmp_path))
    with pytest.raises(UserError, match=r"^data\.path=.* holds no \.tar; data\.source=shards needs shards$"):
        open_source(str(tmp_path), source="shards")


def test_an_empty_tar_holds_no_photos(tmp_path):
    (tmp_path / "a.tar").write_bytes(bytes(10240))
    with pytest.raises(UserError, match=r"a\.tar holds no photos"):
        open_source(str(tmp_path / "a.tar"))


def test_files_of_other_kinds_are_refused(tmp_path, photo_folder):
    photo = photo_folder(1) / "more" / "p000.jpg"
    with pytest.raises(UserError, match=r"p000\.jpg is neither a folder nor a \.tar; allowed"):
        open_source(str(photo))
    with pytest.raises(UserError, match=r"p000\.jpg is no folder; data\.source=folder allows nothing else"):
        open_source(str(photo), source="folder")


@pytest.mark.parametrize("path", ["s3://bucket/a.tar", "gs://bucket/a.tar", "file:///etc/a.tar", "ftp://host/a.tar"])
def test_other_schemes_are_refused(path):
    with pytest.raises(UserError, match=rf"^data\.path={path}: \w+: is not supported; allowed: "):
        open_source(path, allow_pipe=True)


def test_a_pipe_runs_nothing_unless_allowed(tmp_path, shard_folder):
    trace = tmp_path / "ran"
    for path in (f"pipe:touch {trace}", f"{shard_folder(3)}::pipe:touch {trace}", f"pipe:touch {trace}{{a,b}}"):
        with pytest.raises(UserError, match=r"data\.path=pipe:touch .* runs a shell command; pass --allow-pipe"):
            open_source(path, cache_dir=str(tmp_path))
    assert not list(tmp_path.glob("ran*"))


def test_an_allowed_pipe_is_run_once_and_cached(tmp_path, shard_folder):
    tar = shard_folder(4, 9) / "shard-000000.tar"
    path = f"pipe:echo x >> {tmp_path}/runs; cat {tar}"
    for _ in range(2):
        assert reds(open_source(path, allow_pipe=True, cache_dir=str(tmp_path / "cache"))) == list(range(4))
    assert (tmp_path / "runs").read_text() == "x\n"


@pytest.mark.parametrize(
    ("pattern", "places"),
    [("x.tar", 1), ("{a,b}{0..9}", 20), ("{a,{0..4},b}", 7), ("{9..0}{}", 10), (r"\{a,b\}", 1), (r"{a\},b}{a\},b}", 4),
     ("a,b", 1), ("}{0..99..3}", 100)],
)  # fmt: skip
def test_places_are_counted_before_they_are_written_out(pattern, places):
    assert sources._places_of_braces(pattern) == places
    with contextlib.suppress(ValueError):  # unbalanced
        assert len(sources.expand_urls(pattern)) <= places


def test_braces_that_stand_for_too_much_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"^data\.path=.*tar: the braces stand for more than 1000000 places$"):
        open_source(str(tmp_path / "{0..999}{0..1999}.tar"))
