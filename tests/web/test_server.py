"""The server by itself: what it sends, and what it refuses."""

import gzip
import http.client
import json
import re
import socket

import pytest

from brushnet.errors import UserError
from brushnet.web.server import SiteServer
from tests.web.conftest import serving

SITE = {
    "index.html": b"<!doctype html>",
    "app.js": b"1",
    "vendor/x.wasm.gz": gzip.compress(b"\0asm"),
    "a b.json": b"{}",
}


@pytest.fixture(scope="module")
def server():
    with serving(SITE) as server:
        yield server


def asked(server: SiteServer, path: str, *, method: str = "GET", **headers: str):
    """Status, headers and content; the path goes out as it is, unlike a browser's."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers, content


def test_files_come_with_type_isolation_and_policy(server):
    status, headers, content = asked(server, "/")
    assert (status, content) == (200, b"<!doctype html>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert asked(server, "/app.js?x=1")[1]["Content-Type"] == "text/javascript; charset=utf-8"
    assert asked(server, "/a%20b.json")[2] == b"{}"
    status, headers, content = asked(server, "/vendor/x.wasm.gz")
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Encoding"] is None  # the page unpacks it
    assert gzip.decompress(content) == b"\0asm"


def test_what_has_not_changed_is_not_sent_again(server):
    tag = asked(server, "/app.js")[1]["ETag"]
    status, headers, content = asked(server, "/app.js", If_None_Match=tag)
    assert (status, content, headers["ETag"]) == (304, b"", tag)
    assert asked(server, "/app.js", If_None_Match='"another"')[0] == 200
    status, headers, content = asked(server, "/app.js", method="HEAD")
    assert (status, content, headers["Content-Length"]) == (200, b"", "1")


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/pyproject.toml", "//etc/passwd", "/vendor/../../../../../../etc/passwd", "/vendor",
     "/index.html/", "/..%5c..%5cpyproject.toml", "/no", "/app.js%00"],
)  # fmt: skip
def test_nothing_but_its_files_is_served(server, path):
    assert asked(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent_to_it(server, method):
    assert asked(server, "/", method=method)[0] == 501


def test_a_stranger_s_name_for_this_machine_is_refused(server):
    port = server.server_port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1:1", "", f"127.0.0.1.evil.example:{port}"):
        assert asked(server, "/", Host=host)[0] == 421
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"LOCALHOST:{port}"):
        assert asked(server, "/", Host=host)[0] == 200


def test_a_request_that_is_none_does_not_end_it(server):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as stranger:
        stranger.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        stranger.recv(1000)
    assert asked(server, "/")[0] == 200


def test_without_a_port_it_takes_a_free_one_and_a_taken_one_is_said():
    with SiteServer() as first, SiteServer() as second:
        assert first.server_port != second.server_port
        with pytest.raises(UserError, match=rf"--port {first.server_port} is taken by another program; choose another"):
            SiteServer(port=first.server_port)


@pytest.mark.parametrize("host", ["\u00e4..b", "a\0b"])
def test_what_can_be_no_address_is_said(host):
    with pytest.raises(UserError, match=r"--host .+: no address or name of a machine; the default is 127\.0\.0\.1"):
        SiteServer(host=host, port=0)


def test_an_address_that_is_not_this_machine_s_is_said():
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1: this machine cannot be reached there \(.+\)"):
        SiteServer(host="192.0.2.1")
    with pytest.raises(UserError, match=r"--host no\.such\.host\.invalid: this machine cannot be reached there"):
        SiteServer(host="no.such.host.invalid")


def test_where_others_may_come_any_name_is_good_and_the_address_can_be_opened():
    with serving(SITE, host="0.0.0.0") as server:
        assert asked(server, "/", Host="my-machine:1")[0] == 200
        assert server.url == f"http://127.0.0.1:{server.server_port}/"
        assert server.elsewhere is None or re.fullmatch(rf"http://[\d.]+:{server.server_port}/", server.elsewhere)
    with SiteServer() as server:
        assert server.elsewhere is None


def test_what_the_page_is_told_holds_no_path_of_this_machine(site):
    told = json.loads(site["models.json"])
    assert [model["name"] for model in told["models"]] == ["starry-night"]
    assert all(set(model["styles"][0]) == {"name", "title", "thumb"} for model in told["models"])
    assert all(each["file"] in site for each in told["photos"])
    assert all(file in site for model in told["models"] for file in model["files"].values())
    assert "/work" not in site["models.json"].decode()
    assert b"@POLICY@" not in site["index.html"]
