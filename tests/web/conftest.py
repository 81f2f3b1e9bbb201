"""A site of the embedded models, served, and a real browser to open it."""

import threading
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

import brushnet
from brushnet.web.server import SiteServer
from brushnet.web.site import Site, build_site
from tests.browser import chromium

PAINTED_WITHIN_S = 90.0  # seconds where nothing else runs; CI and its neighbours share two cores


@pytest.fixture(scope="session")
def site() -> Site:
    """Its sample photos are small: each visit begins with painting the first, in the background at all its scales."""
    site = build_site({"starry-night": brushnet.load("starry-night", device="cpu")})
    return site | {path: small(data) for path, data in site.items() if path.startswith("photos/")}


def small(photo: bytes) -> bytes:
    with Image.open(BytesIO(photo)) as picture:
        picture.thumbnail((160, 160))
        picture.save(made := BytesIO(), "JPEG", quality=90)
    return made.getvalue()


@pytest.fixture(scope="session")
def served(site: Site) -> Iterator[SiteServer]:
    with serving(site) as server:
        yield server


class serving:  # noqa: N801 (a context manager, read as a verb)
    """A server for a site in a thread of its own, at any free port."""

    def __init__(self, site: Site, **options: str):
        self.server = SiteServer(**options)
        self.thread = threading.Thread(target=self.server.serve, args=(site,), daemon=True)

    def __enter__(self) -> SiteServer:
        self.thread.start()
        return self.server

    def __exit__(self, *failure: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    yield from chromium()


class Visit:
    """The page in a tab of its own, with all that it complained of and asked for."""

    def __init__(self, browser: Any, url: str, **options: Any):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.url = url.partition("?")[0]
        self.page.goto(url)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self.context.close()
        if kind is None:
            assert self.complaints == []
            assert all(url.startswith((self.url, "blob:")) for url in self.requests)

    def painted(self, *, within_s: float = PAINTED_WITHIN_S) -> str:
        """Waits until what is seen is what is chosen; what the page says of it."""
        # Not wait_for_function, which would need what the page's policy forbids.
        until = time.monotonic() + within_s
        while self.page.locator("#stage").get_attribute("aria-busy") != "false":
            assert time.monotonic() < until, f"not painted in {within_s:.0f} s"
            self.page.wait_for_timeout(50)
        assert not self.page.locator("#problem").is_visible(), self.page.locator("#problem").inner_text()
        return str(self.page.locator("#status").inner_text())

    def give(self, *files: object) -> None:
        self.page.set_input_files("#file", list(files))

    def set_range(self, name: str, value: float) -> None:
        """As a finger does: to a place, and an event for it."""
        self.page.locator(f"#{name}").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
        )


@pytest.fixture(scope="session")
def opened(browser: Any, served: Any) -> Iterator[Visit]:
    """One for all tests: starting the engine is most of the time that they take."""
    with Visit(browser, served.url) as visit:
        visit.painted()  # the first sample, by itself
        yield visit


@pytest.fixture
def visit(opened: Visit, site: Site) -> Iterator[Visit]:
    yield opened
    opened.give({"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": site["photos/cat.jpg"]})  # first: it is small
    opened.page.locator("input[name='brush'][value='off']").check()
    opened.set_range("strength", 1)
    opened.set_range("stroke", 0)
    opened.painted()
