"""index.py: nothing in a hostile index is believed; a tar without one is scanned, up to where it is cut off."""

import copy
import io
import json
import tarfile

import pytest

from brushnet.data import index
from brushnet.errors import UserError

SHARD = index.Shard("shard-000000.tar", "ab" * 32, 4096, (index.Sample("a", 512, 100), index.Sample("b", 1536, 2560)))


def content(**changes) -> dict:
    sample = {"key": "a", "offset": 512, "size": 100}
    shard = {"file": "s.tar", "sha256": "0" * 64, "bytes": 4096, "samples": [sample]}
    for name, value in changes.items():
        for level in (shard, sample):
            if name in level:
                level[name] = value
    return {"format": "brushnet-shards", "version": 1, "shards": [shard]}


def parse(value) -> list[index.Shard] | None:
    return index.parse(json.dumps(value).encode(), "here/index.json")


def test_write_and_parse_are_inverse(tmp_path):
    index.write([SHARD], tmp_path)
    assert index.parse((tmp_path / "index.json").read_bytes(), "") == [SHARD]


def test_an_index_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    index.write([SHARD], tmp_path)
    before = (tmp_path / "index.json").read_bytes()

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        index.write([], tmp_path)
    assert (tmp_path / "index.json").read_bytes() == before


def test_an_index_of_something_else_is_none_of_ours():
    assert parse({"__kind__": "wids-shard-index-v1", "shardlist": []}) is None
    assert parse([1, 2]) is None


@pytest.mark.parametrize(
    "file",
    [
        "../s.tar",
        "/etc/s.tar",
        "sub/s.tar",
        "..\\s.tar",
        ".hidden.tar",
        "s.zip",
        "pipe:rm -r .tar",
        "",
        "s.tar\n",
        None,
        3,
    ],
)
def test_shards_outside_the_folder_are_refused(file):
    with pytest.raises(UserError, match=r"here/index\.json is not a valid .*: file must be the plain name of a \.tar"):
        parse(content(file=file))


@pytest.mark.parametrize("name", ["offset", "size", "bytes"])
@pytest.mark.parametrize("value", [-1, 1.5, "7", None, True, float("nan"), 2**70])
def test_numbers_that_are_no_counts_are_refused(name, value):
    with pytest.raises(UserError, match=rf"{name} must be a whole number from 0 to 4611686018427387904, got"):
        parse(content(**{name: value}))


def test_samples_beyond_the_end_of_their_shard_are_refused():
    with pytest.raises(UserError, match=r"sample 'a' ends at byte 5000 of 4096"):
        parse(content(offset=4900))
    with pytest.raises(UserError, match=r"ends at byte 1000000000000000512 of 4096"):
        parse(content(size=10**18))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "XYZ"}, "sha256 must be 64 hexadecimal digits, got 'XYZ'"),
        ({"sha256": None}, "sha256 must be 64 hexadecimal digits, got None"),
        ({"samples": {}}, r"samples must be a list, got \{\}"),
        ({"samples": [3]}, "a sample must be an object, got 3"),
        ({"key": 3}, "key must be printable text, got 3"),
        ({"key": "\x1b[2J"}, r"key must be printable text, got '\\x1b\[2J'"),
    ],
)
def test_other_wrong_values_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        parse(content(**changes))


def test_wrong_frames_are_named():
    with pytest.raises(UserError, match="version 2, this brushnet reads 1"):
        parse({**content(), "version": 2})
    with pytest.raises(UserError, match="shards must be a list, got None"):
        parse({"format": "brushnet-shards", "version": 1})
    with pytest.raises(UserError, match="a shard must be an object, got 'x'"):
        parse({**content(), "shards": ["x"]})
    twice = content()
    twice["shards"].append(copy.deepcopy(twice["shards"][0]))
    with pytest.raises(UserError, match="a shard is listed twice"):
        parse(twice)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": ' * 50_000])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(UserError, match=r"here is no JSON: \w+; delete it to have the shards scanned"):
        index.parse(data, "here")


def make_tar(path, members: list[tuple[str, bytes]], format=tarfile.PAX_FORMAT) -> None:
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


MEMBERS = [("a.jpg", b"A" * 700), ("a.json", b"{}"), ("x/b.v2.PNG", b"B" * 10), ("n" * 150 + ".jpeg", b"C" * 600)]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_scan_finds_the_pictures_where_they_lie(tmp_path, format):
    make_tar(tmp_path / "s.tar", MEMBERS, format)
    scan = index.scan(tmp_path / "s.tar")
    assert scan.cut_at_byte is None
    assert [sample.key for sample in scan.shard.samples] == ["a", "x/b", "n" * 150]
    data = (tmp_path / "s.tar").read_bytes()
    assert [data[s.offset : s.offset + s.size] for s in scan.shard.samples] == [b"A" * 700, b"B" * 10, b"C" * 600]


def test_wherever_a_tar_is_cut_the_whole_samples_before_are_kept(tmp_path):
    make_tar(tmp_path / "s.tar", [(f"{n}.jpg", bytes([n]) * 600) for n in range(4)])
    whole = (tmp_path / "s.tar").read_bytes()
    samples = index.scan(tmp_path / "s.tar").shard.samples
    for length in range(0, samples[-1].offset + 1024, 128):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        scan = index.scan(tmp_path / "cut.tar")
        assert scan.shard.samples == tuple(s for s in samples if s.offset + s.size <= length), length
        assert scan.cut_at_byte is not None
        assert scan.cut_at_byte <= length
        assert scan.lost == sum(s.offset <= length < s.offset + s.size for s in samples)


def test_of_what_is_cut_off_only_pictures_count_as_lost(tmp_path):
    make_tar(tmp_path / "s.tar", [("a.jpg", b"A" * 600), ("a.json", b"{" * 600)])
    whole = (tmp_path / "s.tar").read_bytes()
    (tmp_path / "s.tar").write_bytes(whole[: 512 + 1024 + 512 + 100])
    scan = index.scan(tmp_path / "s.tar")
    assert [sample.key for sample in scan.shard.samples] == ["a"]
    assert (scan.lost, scan.cut_at_byte) == (0, 512 + 1024)


@pytest.mark.parametrize("names", [("a.mask.png", "a.jpg"), ("a.jpg", "a.mask.png")])
def test_a_mask_is_not_taken_for_the_picture_beside_it(tmp_path, names):
    make_tar(tmp_path / "s.tar", [(name, name.encode()) for name in names])
    (sample,) = index.scan(tmp_path / "s.tar").shard.samples
    assert (tmp_path / "s.tar").read_bytes()[sample.offset :][: sample.size] == b"a.jpg"


def test_a_mask_does_not_stand_in_for_a_picture_that_is_cut_off(tmp_path):
    make_tar(tmp_path / "s.tar", [("a.mask.png", b"M"), ("a.jpg", b"A" * 600)])
    (tmp_path / "s.tar").write_bytes((tmp_path / "s.tar").read_bytes()[: 512 + 512 + 512 + 100])
    scan = index.scan(tmp_path / "s.tar")
    assert (scan.shard.samples, scan.lost) == ((), 1)


def test_long_names_of_long_names_end_a_tar_and_not_the_program(tmp_path):
    make_tar(tmp_path / "s.tar", [("a.jpg", b"A" * 600)])
    start = (tmp_path / "s.tar").read_bytes()[: 512 + 1024]
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1
    (tmp_path / "s.tar").write_bytes(start + 3000 * (header.tobuf(tarfile.GNU_FORMAT) + bytes(512)))
    scan = index.scan(tmp_path / "s.tar")
    assert [sample.key for sample in scan.shard.samples] == ["a"]
    assert scan.cut_at_byte == len(start)


def test_what_is_no_tar_holds_nothing(tmp_path):
    (tmp_path / "s.tar").write_bytes(b"\x1f\x8b no tar" * 500)
    scan = index.scan(tmp_path / "s.tar")
    assert scan.shard.samples == ()
    assert scan.cut_at_byte == 0


def test_links_and_negative_sizes_do_not_mislead(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        link = tarfile.TarInfo("secret.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("good.jpg"), io.BytesIO())
        bad = tarfile.TarInfo("bad.jpg")
        bad.size = -1024
        tar.fileobj.write(bad.tobuf(tarfile.GNU_FORMAT))
        tar.offset += 512
    assert [sample.key for sample in index.scan(tmp_path / "s.tar").shard.samples] == ["good"]
