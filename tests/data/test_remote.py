"""remote.py: shards over http are fetched once, checked, and then local; what fails says so and leaves no litter."""

import functools
import http.server
import json
import os
import re
import threading

import pytest

from brushnet.data import remote
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError, UserError


@pytest.fixture
def answers():
    """{"index_status": 403}: what the server says of every index from now on."""
    return {}


@pytest.fixture
def serve(monkeypatch, answers):
    """serve(folder) -> (address, list of the paths that were asked for)."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(remote, "BACK_OFF_SECONDS", 0.01)
    servers = []

    def start(folder):
        asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                if self.path.endswith("index.json") and "index_status" in answers:
                    self.send_error(answers["index_status"])
                else:
                    super().do_GET()

            def log_message(self, *args):
                asked.append(self.path)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_remote_shards_give_what_local_ones_give_and_are_fetched_once(serve, shard_folder, tmp_path):
    folder = shard_folder(12)
    address, asked = serve(folder)
    local = open_source(str(folder))
    for _ in range(2):
        source = open_source(f"{address}/shard-{{000000..000002}}.tar", cache_dir=str(tmp_path / "cache"))
        assert source.groups == local.groups
        assert all(source.read(n) == local.read(n) and source.key(n) == local.key(n) for n in range(12))
    assert [sum(f"shard-00000{n}" in path for path in asked) for n in range(3)] == [1, 1, 1]
    kept = files(tmp_path / "cache")
    assert sorted(name.partition(".")[2] for name in kept) == ["checked"] * 3 + ["json"] + ["tar"] * 3
    assert not any(name.startswith(".") for name in files(tmp_path / "cache"))


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("BRUSHNET_CACHE", str(tmp_path / "env"))
    assert remote.cache_folder(None) == tmp_path / "env"
    assert remote.cache_folder("given") == remote.Path("given")
    assert remote.cache_folder("~nosuchuser/x") == remote.Path("~nosuchuser/x")
    monkeypatch.delenv("BRUSHNET_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert remote.cache_folder(None) == tmp_path / ".cache" / "brushnet"


def test_a_shard_that_is_not_what_the_index_says_is_refused_and_not_kept(serve, shard_folder, tmp_path):
    folder = shard_folder(6)
    tar = folder / "shard-000000.tar"
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(data)
    address, _ = serve(folder)
    with pytest.raises(
        BrushnetError, match=r"shard-000000\.tar is not what its index says: sha256 \w+…, expected \w+…"
    ):
        open_source(f"{address}/shard-000000.tar", cache_dir=str(tmp_path / "cache"))
    assert [name for name in files(tmp_path / "cache") if not name.endswith(".json")] == []


def test_without_an_index_shards_are_scanned(serve, shard_folder, tmp_path):
    folder = shard_folder(6)
    (folder / "index.json").unlink()
    address, _ = serve(folder)
    assert len(open_source(f"{address}/shard-000001.tar", cache_dir=str(tmp_path))) == 1


def test_a_shard_that_changed_at_its_source_is_fetched_anew(serve, shard_folder, tmp_path):
    folder, other = shard_folder(4, 9), shard_folder(7, 9, name="other")
    address, _ = serve(folder)
    url, cache = f"{address}/shard-000000.tar", str(tmp_path / "cache")
    assert len(open_source(url, cache_dir=cache)) == 4
    for name in ("shard-000000.tar", "index.json"):
        (folder / name).write_bytes((other / name).read_bytes())
    assert len(open_source(url, cache_dir=cache)) == 7


def test_a_missing_shard_is_named_at_once(serve, shard_folder, tmp_path):
    address, asked = serve(shard_folder(4))
    with pytest.raises(BrushnetError, match=r"cannot fetch http://127\S+/gone\.tar: the server answers with an error"):
        open_source(f"{address}/gone.tar", cache_dir=str(tmp_path / "cache"))
    assert sum("gone" in path for path in asked) <= 2  # the log has two lines for an error
    assert not [name for name in files(tmp_path / "cache") if name.endswith((".tar", ".part"))]


def test_offline_the_cache_serves(serve, shard_folder, tmp_path, caplog, monkeypatch):
    address, _ = serve(shard_folder(4, 9))
    url, cache = f"{address}/shard-000000.tar", str(tmp_path / "cache")
    online = open_source(url, cache_dir=cache)
    monkeypatch.setattr(remote, "transfer", lambda *args, **options: "exit status 7 of curl")
    offline = open_source(url, cache_dir=cache)
    assert [offline.read(n) for n in range(4)] == [online.read(n) for n in range(4)]
    assert "index.json after 4 tries: exit status 7 of curl; using the copy in" in caplog.text


@pytest.mark.parametrize("damage", ["refused", "a page"])
def test_an_index_that_is_refused_or_a_web_page_is_replaced_by_the_one_seen_before(
    serve, answers, shard_folder, tmp_path, caplog, damage
):
    folder = shard_folder(4, 9)
    address, _ = serve(folder)
    url, cache = f"{address}/shard-000000.tar", tmp_path / "cache"
    open_source(url, cache_dir=str(cache))
    before = next(cache.glob("*.json")).read_bytes()
    if damage == "refused":
        answers["index_status"] = 403
    else:
        (folder / "index.json").write_text("<html>sign in</html>")
    assert len(open_source(url, cache_dir=str(cache))) == 4
    assert next(cache.glob("*.json")).read_bytes() == before
    assert len(list(cache.glob("*.tar"))) == 1  # the digest was known: the cached shard is used
    assert re.search(r"index\.json( is no JSON|: the server answers .*); using the copy in ", caplog.text)


@pytest.mark.parametrize(("status", "told"), [(403, True), (404, False), (410, False)])
def test_only_a_missing_index_is_passed_over_in_silence(serve, answers, shard_folder, tmp_path, caplog, status, told):
    answers["index_status"] = status
    address, _ = serve(shard_folder(4, 9))
    assert len(open_source(f"{address}/shard-000000.tar", cache_dir=str(tmp_path / "cache"))) == 4
    assert ("the shards are scanned, their digests are not checked" in caplog.text) == told


def test_a_web_page_in_place_of_an_index_is_told_and_the_shards_are_scanned(serve, shard_folder, tmp_path, caplog):
    folder = shard_folder(4, 9)
    (folder / "index.json").write_text("<html>")
    address, _ = serve(folder)
    assert len(open_source(f"{address}/shard-000000.tar", cache_dir=str(tmp_path / "cache"))) == 4
    assert "index.json is no JSON; the shards are scanned, their digests are not checked" in caplog.text
    assert not list((tmp_path / "cache").glob("*.json"))


def test_a_server_that_is_not_there_is_tried_four_times(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    waits = []
    monkeypatch.setattr(remote, "sleep", waits.append)
    with pytest.raises(BrushnetError, match=r"cannot fetch http://127\S+ after 4 tries: exit status 7 of curl"):
        remote.fetch("http://127.0.0.1:9/a.tar", tmp_path)
    assert waits == [1, 2, 4]
    assert files(tmp_path) == []


def test_a_failing_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(remote, "BACK_OFF_SECONDS", 0)
    with pytest.raises(BrushnetError, match=r"cannot fetch pipe:exit 22 after 4 tries: exit status 22 of the command"):
        remote.fetch("pipe:exit 22", tmp_path)


def test_a_program_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot fetch http://127\S+: the program curl is not installed"):
        remote.fetch("http://127.0.0.1:9/a.tar", tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BrushnetError, match=r"cannot write to the cache .*file: "):
        remote.fetch("pipe:echo", tmp_path / "file")


def test_a_hostile_remote_index_is_refused(serve, shard_folder, tmp_path):
    folder = shard_folder(4)
    index = json.loads((folder / "index.json").read_text())
    index["shards"][0]["samples"][0]["offset"] = -5
    (folder / "index.json").write_text(json.dumps(index))
    address, _ = serve(folder)
    with pytest.raises(UserError, match=r"http://127\S+/index\.json is not a valid .* offset must be .* got -5"):
        open_source(f"{address}/shard-000000.tar", cache_dir=str(tmp_path / "cache"))


def test_what_a_killed_run_left_of_a_transfer_is_removed_after_a_day(tmp_path):
    target = tmp_path / "shard.tar"
    old, new = tmp_path / ".shard.tar.7.part", tmp_path / ".shard.tar.8.part"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    remote._remove_abandoned(target)
    assert list(tmp_path.iterdir()) == [new]
