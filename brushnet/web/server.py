"""A server for the site on this machine: knows its files and nothing else, and sends what allows threads in a browser.

Only with the isolation headers (COOP, COEP) does a browser give WebAssembly shared memory, hence threads.
"""

import errno
import hashlib
import ipaddress
import socket
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from brushnet.errors import UserError
from brushnet.web.site import INDEX, POLICY

FIRST_PORT = 8000
TRIED_PORTS = 20
IDLE_S = 30.0  # after which a browser's connection is closed
WILDCARDS = {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}  # every address of this machine; an address that nobody has
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # kept, but asked for: another `brushnet demo` may answer at this address
}
# Not the system's table, which an installed program may have changed.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".md": "text/plain; charset=utf-8",
}


class SiteServer(ThreadingHTTPServer):
    """Listens at `host`; `port` None takes the first that is free from 8000 on. UserError where it cannot."""

    daemon_threads = True
    allow_reuse_address = False  # on Windows it would share a port that is taken

    def __init__(self, *, host: str = "127.0.0.1", port: int | None = None):
        self.site: Mapping[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.host = host
        if ":" in host:
            self.address_family = socket.AF_INET6
        ports = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + TRIED_PORTS), 0]
        for tried in ports:
            try:
                super().__init__((host, tried), _Handler)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE or tried == ports[-1]:
                    raise _refusal(error, host, tried) from error
            except (TypeError, UnicodeError) as error:  # no name of a machine at all, such as "ä..b"
                raise UserError(f"--host {host}: no address or name of a machine; the default is 127.0.0.1") from error

    def serve(self, site: Mapping[str, bytes]) -> None:
        """Until `shutdown`, or until Ctrl-C comes out of it."""
        self.tags = {path: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for path, data in site.items()}
        self.site = site
        self.serve_forever()

    def server_bind(self) -> None:
        if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a server that has just ended
        # Not HTTPServer's, which asks a name server for the machine's name.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.host, self.server_address[1]

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"

    @property
    def elsewhere(self) -> str | None:
        """The address for other machines, such as a phone in the same network; None where there is none to tell."""
        if self.host not in WILDCARDS:
            return None
        with socket.socket(self.address_family, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.connect((WILDCARDS[self.host], 9))  # sends nothing: only the way there is looked up
            own = str(probe.getsockname()[0])
            return f"http://{f'[{own}]' if ':' in own else own}:{self.server_port}/"
        return None

    @property
    def hosts(self) -> set[str] | None:
        """What a request may call this server, or None where it may be anything.

        A stranger's page may give its own name this machine's address and so be let in as if it were ours.
        """
        if not _is_loopback(self.host):
            return None
        return {f"{name}:{self.server_port}" for name in ("localhost", "127.0.0.1", "[::1]", self.host.lower())}

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a browser that left in the middle


class _Handler(BaseHTTPRequestHandler):
    server: SiteServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "brushnet", ""
    timeout = IDLE_S

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def _answer(self, *, with_content: bool) -> None:
        hosts = self.server.hosts
        if hosts is not None and self.headers.get("Host", "").lower() not in hosts:
            return self._send(HTTPStatus.MISDIRECTED_REQUEST, b"not this server's name\n", with_content=with_content)
        path = unquote(urlsplit(self.path).path).removeprefix("/") or INDEX
        content = self.server.site.get(path)  # by name, never by a path on disk
        if content is None:
            return self._send(HTTPStatus.NOT_FOUND, b"not here\n", with_content=with_content)
        tag = self.server.tags[path]
        if tag in self.headers.get("If-None-Match", ""):
            return self._send(HTTPStatus.NOT_MODIFIED, b"", kind=path, tag=tag, with_content=False)
        return self._send(HTTPStatus.OK, content, kind=path, tag=tag, with_content=with_content)

    def _send(self, status: HTTPStatus, content: bytes, *, kind: str = "", tag: str = "", with_content: bool) -> None:
        self.send_response(status)
        suffix = kind[kind.rfind(".") :] if "." in kind else ""
        self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream" if kind else "text/plain"))
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(content)))
        if tag:
            self.send_header("ETag", tag)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(error: OSError, host: str, port: int) -> UserError:
    cause = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        return UserError(f"--port {port} is taken by another program; choose another, or leave --port out")
    if error.errno == errno.EACCES:
        return UserError(f"--port {port} is not for ordinary users; choose one from 1024 to 65535")
    return UserError(f"--host {host}: this machine cannot be reached there ({cause}); the default is 127.0.0.1")
