"""A real browser: the system's own Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
         "--disable-component-update", "--no-first-run"]  # fmt: skip


def chromium() -> Iterator[Any]:
    """Open as long as it is iterated; the test is skipped where there is none, and fails in CI."""
    found = os.environ.get("BRUSHNET_CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if found is None or sync_playwright is None:
        missing = "a browser (apt install chromium)" if found is None else "playwright (pip install playwright)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"the page must be opened by CI, which has not {missing}")
        pytest.skip(f"no {missing}")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        opened.executable = found
        yield opened
        opened.close()
