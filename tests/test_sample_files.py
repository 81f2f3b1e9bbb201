"""The samples that ship: they are what data/README.md and paintings.json say."""

import json
import re
from pathlib import Path

from brushnet import images

DATA = Path(__file__).resolve().parents[1] / "data"


def test_every_picture_has_its_line_of_source_and_terms() -> None:
    lines = (DATA / "README.md").read_text().splitlines()
    told = {cells[1].strip(): cells[-2] for line in lines if (cells := line.split("|"))[1:2] and ".jpg" in cells[1]}
    pictures = {path.name for folder in ("photos", "paintings") for path in images.list_images(DATA / folder)}
    assert set(told) == pictures
    assert all(re.search("CC0|CC BY 2.0|public domain", terms) for terms in told.values())


def test_photos_decode_and_are_of_one_size() -> None:
    photos = images.list_images(DATA / "photos")
    assert len(photos) >= 12
    for path in photos:
        assert 300 <= min(images.read_uint8(path).shape[1:]) <= 320


def test_paintings_have_the_stroke_widths_that_they_are_said_to_have() -> None:
    table = json.loads((DATA / "paintings" / "paintings.json").read_text())
    assert {path.name for path in images.list_images(DATA / "paintings")} == set(table)
    for name, entry in table.items():
        short_px = min(images.read_uint8(DATA / "paintings" / name).shape[1:])
        assert short_px == entry["short_side_px"] >= 2.8 * 256
        assert entry["stroke_px_at_256"] == entry["stroke_px"] * 256 / short_px


def test_samples_stay_small() -> None:
    pictures = [path for folder in ("photos", "paintings") for path in (DATA / folder).iterdir()]
    assert sum(path.stat().st_size for path in pictures) < 3_000_000
