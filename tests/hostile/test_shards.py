"""Shards: the tar without an index, the index, the samples, and an index from a server."""

import io
import json
import random
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from brushnet.data import index, remote
from brushnet.data.photos import decode_photo
from brushnet.data.sources import open_source
from brushnet.errors import ImageError
from tests.hostile.mutations import HUGE, bytes_mutated, json_mutated
from tests.hostile.watch import outcome

BLOCK = 512
FIELDS = {"name": (0, 100), "mode": (100, 8), "size": (124, 12), "mtime": (136, 12), "checksum": (148, 8),
          "type": (156, 1), "link": (157, 100), "magic": (257, 8), "prefix": (345, 155)}  # fmt: skip
NAMES = (b"../../ran.jpg", b"/ran.jpg", b"\x1b[2J.jpg", b"\xff\xfe.jpg", b"a" * 100, b".jpg", b"x/..\0.jpg", b"")


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 20), (200, 60, 20)).save(buffer, "JPEG")
    return buffer.getvalue()


def shard(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for number in range(4):
            name = f"{'long/' * 25 if number == 2 else ''}p{number}.jpg"
            info = tarfile.TarInfo(name)
            info.size = len(photo())
            tar.addfile(info, io.BytesIO(photo()))
    return buffer.getvalue()


def tar_mutated(data: bytes, rng: random.Random) -> bytes:
    """Fields of headers changed, with a right check sum mostly; blocks lost and moved; or any bytes."""
    if rng.random() < 0.3:
        return bytes_mutated(data, rng)
    blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    for _ in range(rng.randint(1, 3)):
        headers = [number for number, block in enumerate(blocks) if block[257:262] == b"ustar"]
        place = rng.choice(headers) if headers else 0
        match rng.randrange(5):
            case 0:
                blocks.insert(rng.randrange(len(blocks)), blocks[place])
            case 1 if len(blocks) > 1:
                del blocks[rng.randrange(len(blocks))]
            case _:
                blocks[place] = header_changed(blocks[place], rng)
    return b"".join(blocks)


def header_changed(block: bytes, rng: random.Random) -> bytes:
    start, length = FIELDS[rng.choice(list(FIELDS))]
    value = rng.choice((
        rng.choice(NAMES),
        b"%o" % (rng.choice(HUGE) % 8**11),
        b"\x80" + (rng.choice(HUGE) % 2**88).to_bytes(11, "big"),
        b"\xff" * 12,
        b"-1",
        rng.choice(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZxgLKSVD").to_bytes(1, "big"),
        b"GNU.sparse.major=1\n",
    ))  # fmt: skip
    changed = bytearray(block)
    changed[start : start + length] = value[:length].ljust(length, b"\0")
    if rng.random() < 0.8:
        changed[148:156] = b" " * 8
        changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def read_all(path: str) -> None:
    """As training does: every photo that there is said to be, the bad ones left out."""
    source = open_source(path)
    for number in range(min(len(source), 50)):
        assert source.key(number).isprintable()
        try:
            decode_photo(source.read(number))
        except (ImageError, OSError):
            continue


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_shard_without_an_index(attack, tmp_path, form):
    whole, path = shard(form), tmp_path / "shard.tar"

    def act(rng):
        path.write_bytes(tar_mutated(whole, rng))
        outcome(lambda: read_all(str(path)), names=path.name)

    attack(act)


def test_index(attack, tmp_path):
    path = tmp_path / "shard-000000.tar"
    path.write_bytes(shard(tarfile.USTAR_FORMAT))
    found = index.scan(path).shard
    index.write([index.Shard(found.file, index.digest(path), found.bytes, found.samples)], tmp_path)
    whole = (tmp_path / "index.json").read_bytes()
    read_all(str(tmp_path))

    def act(rng):
        mutated = bytes_mutated(whole, rng) if rng.random() < 0.2 else json_mutated(whole, rng)
        (tmp_path / "index.json").write_bytes(mutated)
        outcome(lambda: read_all(str(tmp_path)), names=str(tmp_path))

    attack(act)


@pytest.mark.parametrize("place", ["size", "offset", "bytes"])
@pytest.mark.parametrize("value", [-1, 2**63, 10**40, 1e300, "7", None, True])
def test_an_index_that_lies_about_numbers_is_refused(tmp_path, place, value):
    path = tmp_path / "shard-000000.tar"
    path.write_bytes(shard(tarfile.USTAR_FORMAT))
    index.write([index.Shard(path.name, "0" * 64, path.stat().st_size, (index.Sample("a", 512, 600),))], tmp_path)
    content = json.loads((tmp_path / "index.json").read_text())
    entry = content["shards"][0]
    (entry if place == "bytes" else entry["samples"][0])[place] = value
    (tmp_path / "index.json").write_text(json.dumps(content))
    refused = outcome(lambda: read_all(str(tmp_path)), names="index.json")
    assert refused is None or place in str(refused) or "ends at byte" in str(refused)


@pytest.mark.parametrize(
    "path",
    ["x{0..999999999}.tar", "{a,b}" * 40 + ".tar", "{0..999}" * 4 + ".tar", "{1..100}" * 3 + "a" * 1000 + ".tar"],
)
def test_braces_that_unfold_are_refused(tmp_path, path):
    refused = outcome(lambda: open_source(str(tmp_path / path)), names="data.path=", most_mb=50)
    assert "the braces stand for more than" in str(refused)


def test_index_from_a_server(attack, tmp_path, monkeypatch):
    """What curl fetched is read, or refused with its address; only the cache is written into."""
    shard_file = index.Shard("shard-000000.tar", "0" * 64, 4096, (index.Sample("p0", 512, 100),))
    index.write([shard_file], tmp_path)
    whole, cache, url = (tmp_path / "index.json").read_bytes(), tmp_path / "cache", "https://host/index.json"
    served = {"bytes": whole}

    def transfer(url: str, partial: Path, **_: object) -> None:
        partial.write_bytes(served["bytes"])

    monkeypatch.setattr(remote, "transfer", transfer)
    assert remote.fetch_index(url, cache) == [shard_file]

    def act(rng):
        served["bytes"] = bytes_mutated(whole, rng) if rng.random() < 0.2 else json_mutated(whole, rng)
        outcome(lambda: remote.fetch_index(url, cache), names=url, writes_in=tmp_path)

    attack(act)
    assert {path.suffix for path in cache.iterdir()} <= {".json"}
