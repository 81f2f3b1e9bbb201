"""The README's Python is run as it stands there."""

import re
from pathlib import Path

import pytest
import torch

from brushnet import images

README = Path(__file__).parents[1] / "README.md"
SECTION = README.read_text(encoding="utf-8").split("\n## Python\n")[1].split("\n## ")[0]
EXAMPLES = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
WRITTEN = [["painting.png"], ["paintings/0.png", "paintings/1.png", "paintings/2.png"], [], ["mapped.png"]]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    generator = torch.Generator().manual_seed(5)
    for path in ("photo.jpg", "photos/a.png", "photos/b.png", "photos/c.jpg"):
        height = 48 if path == "photos/b.png" else 64
        images.write(torch.rand(1, 3, height, 64, generator=generator), tmp_path / path)
    monkeypatch.chdir(tmp_path)


def test_there_are_four():
    assert len(EXAMPLES) == len(WRITTEN)


@pytest.mark.parametrize(
    ("example", "written"), list(zip(EXAMPLES, WRITTEN, strict=True)), ids=["one", "many", "threads", "map"]
)
def test_example_runs_and_writes_what_it_says(example, written, photos):
    # No compiler is asked for in the tests: half a minute, and not every machine has one.
    namespace: dict = {}
    torch.compiler.reset()
    exec(example.replace(".compile()", ".compile(backend='eager')"), namespace)
    for path in written:
        assert images.size(path)[1] == 64
    shapes = {painting.shape for painting in namespace.get("paintings", [])}
    assert shapes <= {(1, 3, 64, 64)}
    assert written or shapes, "an example that makes nothing"
