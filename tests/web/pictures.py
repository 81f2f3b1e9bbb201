"""Photos to give to the page, what it hands out, and what `brushnet stylize` makes of the same."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brushnet import cli, samples
from tests.web.conftest import Visit

CAT = samples.samples_dir() / "photos" / "cat.jpg"


def photo(path: Path, size: tuple[int, int] = (240, 160), *, of: Path = CAT) -> Path:
    """A PNG, which every decoder reads alike."""
    with Image.open(of) as picture:
        picture.resize(size).save(path)
    return path


def levels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def download(visit: Visit, path: Path, button: str = "#download") -> Path:
    with visit.page.expect_download(timeout=90_000) as started:
        visit.page.locator(button).click()
    started.value.save_as(path)
    return path


def painted_by_stylize(visit: Visit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs the command line that the page shows."""
    words = shlex.split(visit.page.locator("#command").text_content())
    assert words[:2] == ["brushnet", "stylize"]
    monkeypatch.chdir(folder)
    assert cli.main([*words[1:], "--device", "cpu"]) == 0
    return folder / words[words.index("-o") + 1]
