"""Photos and shards to try the data room on."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brushnet.data.pack import pack


def jpeg(number: int, size: tuple[int, int] = (48, 40)) -> bytes:
    """A photo that can be told from all others by its flat red level, 3 * number (up to 85 photos)."""
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    pixels[:] = (3 * number, 60, 120)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.fixture(name="jpeg")
def jpeg_fixture():
    """jpeg(number, size) -> bytes of that photo."""
    return jpeg


@pytest.fixture
def photo_folder(tmp_path: Path):
    """photo_folder(count) -> folder of that many photos, some of them in a subfolder."""

    def make(count: int, name: str = "photos", size: tuple[int, int] = (48, 40)) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number in range(count):
            path = folder / ("more" if number % 3 == 0 else ".") / f"p{number:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(number, size))
        return folder

    return make


@pytest.fixture
def shard_folder(tmp_path: Path, photo_folder):
    """shard_folder(count, per_shard) -> folder of shards."""

    def make(count: int, per_shard: int = 5, name: str = "shards") -> Path:
        photos = photo_folder(count, f"photos of {name}")
        size = len(jpeg(0))  # all are about as large
        pack(photos, tmp_path / name, shard_mb=(per_shard - 0.5) * size / 1e6, quality=95)
        return tmp_path / name

    return make
