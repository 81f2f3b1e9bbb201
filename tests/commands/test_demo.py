"""`brushnet demo` as a command: what it refuses before anything is written or served, and how it ends."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from brushnet import cli, files, samples
from brushnet.errors import BrushnetError
from brushnet.web import static

STARRY = samples.models()["starry-night"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["demo", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_what_is_no_model_is_refused(capsys, tmp_path):
    assert "model 'starry' is neither a file nor embedded: did you mean starry-night?" in refused(capsys, "starry")
    (tmp_path / "x.safetensors").write_bytes(b"no model at all")
    out = tmp_path / "out"
    assert "damaged, cut off or not a model" in refused(capsys, str(tmp_path / "x.safetensors"), "--export", str(out))
    assert not out.exists()


def test_two_models_of_one_name_are_refused(capsys, tmp_path):
    (tmp_path / "starry-night.safetensors").write_bytes(STARRY.read_bytes())
    error = refused(capsys, "starry-night", str(tmp_path / "starry-night.safetensors"))
    assert re.search(r"MODEL \S+safetensors: another of the models is called starry-night too \(.+\); rename", error)


@pytest.mark.parametrize("port", ["0", "70000", "http", "-1"])
def test_a_port_that_is_none_is_refused(capsys, port):
    assert f"must be a whole number from 1 to 65535, got {port}" in refused(capsys, f"--port={port}")


def test_a_port_that_is_taken_is_refused(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"--port {port} is taken by another program" in refused(capsys, "--no-browser", "--port", str(port))


def test_folders_that_cannot_be_written_are_refused(capsys, tmp_path):
    (tmp_path / "mine.txt").touch()
    error = refused(capsys, "--export", str(tmp_path))
    assert f"--export {tmp_path} is not empty; pass --force to write into it" in error
    assert f"--export {tmp_path / 'mine.txt'} is a file; give a folder" in refused(
        capsys, "--export", str(tmp_path / "mine.txt")
    )
    assert "cannot be written" in refused(capsys, "--export", "/proc/brushnet")
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_options_that_do_not_go_together_are_refused(capsys, tmp_path):
    out = str(tmp_path / "out")
    assert "--port 8000 is for a server, and --export starts none" in refused(capsys, "--export", out, "--port", "8000")
    assert "--host localhost is for a server" in refused(capsys, "--export", out, "--host", "localhost")
    assert "--force is for --export DIR, which is not given" in refused(capsys, "--force")


def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "onnx and onnxruntime must be installed for the demo: pip install 'brushnet[export]'" in refused(capsys)


def test_mistakes_are_told_without_loading_torch():
    code = (
        "import sys; from brushnet import cli; sys.exit(cli.main(['demo', 'nobody']) + 10 * ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 2


def test_the_page_is_written_whole_and_with_relative_addresses_only(capsys, tmp_path):
    out = tmp_path / "deep" / "site"
    assert cli.main(["demo", "starry-night", "--export", str(out)]) == 0
    assert re.search(r"site: \d+ files, 1[0-9]\.\d MB, for any static host\n", capsys.readouterr().err)
    texts = [path.read_text() for path in out.iterdir() if path.suffix in (".html", ".js", ".css", ".json")]
    assert len(texts) > 15
    for text in texts:
        assert not re.search(r"""(?:src|href|from|import|fetch|url)\s*[=(]?\s*["'`(]\s*(?:/|https?:)""", text)
        assert "//" not in re.sub(r"(?m)(^|\s)//.*$", "", text).replace("http://www.w3.org/2000/svg", "")
    assert (out / "vendor" / "LICENSE").is_file()
    assert cli.main(["demo", "starry-night", "--export", str(out), "--force"]) == 0


def hears_ctrl_c() -> None:
    """A shell lets its background jobs, perhaps the whole test run, ignore it, and their children with them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_it_serves_until_ctrl_c_and_ends_well(tmp_path):
    command = [sys.executable, "-m", "brushnet", "demo", "starry-night", "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, preexec_fn=hears_ctrl_c
    ) as server:
        try:
            line = server.stdout.readline()
            url = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)  \(Ctrl-C ends it\)\n", line)[1]
            assert b"<!doctype html>" in urllib.request.urlopen(url, timeout=10).read()
            os.kill(server.pid, signal.SIGINT)
            assert server.wait(20) == 0
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()
    assert list(Path(tmp_path).iterdir()) == []


def test_a_full_disk_leaves_nothing_of_the_page(tmp_path, monkeypatch):
    (tmp_path / "kept.txt").write_text("of the user")
    site = {"index.html": b"page", "a.js": b"script", "deep/model.onnx": b"weights"}

    def fails(path, data, **options):
        if data == b"page":
            raise OSError(errno.ENOSPC, "No space left on device")
        files.write_whole(path, data, **options)

    monkeypatch.setattr(static, "write_whole", fails)
    with pytest.raises(BrushnetError, match=r"cannot write .*site: No space left on device"):
        static.write_site(site, tmp_path / "site")
    with pytest.raises(BrushnetError, match="No space left on device"):
        static.write_site(site, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
