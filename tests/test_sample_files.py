"""The samples that ship: they are what data/README.md, paintings.json and the shard's index say."""

import json
import re
from pathlib import Path

import pytest
import torch

import brushnet
from brushnet import config, images, samples
from brushnet.data import index
from brushnet.data.photos import decode_photo
from brushnet.data.reading import Shards
from brushnet.data.sources import open_source
from brushnet.data.split import split

DATA = Path(__file__).resolve().parents[1] / "data"
FOLDERS = sorted(path.name for path in DATA.iterdir() if path.is_dir())
TERMS = re.compile("CC0|CC BY 2.0|public domain")


def rows(folder: str) -> dict[str, str]:
    """Terms by name, from the table of `folder` in data/README.md."""
    _, found, section = (DATA / "README.md").read_text().partition(f"\n## `{folder}/`")
    assert found, f"data/README.md has no section on {folder}/"
    lines = section.partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row[-1] for row in cells[2:]}  # below the heading and its rule


def shard_names(keys: list[str]) -> set[str]:
    return {key.rpartition("-")[0] for key in keys}  # `brushnet shards pack` adds a hash


@pytest.fixture(scope="module")
def shards() -> Shards:
    source = open_source(str(DATA / "shards"))
    assert isinstance(source, Shards)
    return source


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "shards"])
def test_every_file_has_its_row_in_the_readme(folder: str) -> None:
    shipped = {path.name for path in (DATA / folder).rglob("*") if path.suffix in samples.SUFFIXES}
    assert set(rows(folder)) == shipped


def test_every_photo_in_the_shard_has_its_row_in_the_readme(shards: Shards) -> None:
    assert set(rows("shards")) == shard_names([shards.key(number) for number in range(len(shards))])


@pytest.mark.parametrize("folder", ["paintings", "photos", "shards"])
def test_every_picture_has_terms_that_let_it_ship(folder: str) -> None:
    assert all(TERMS.search(terms) for terms in rows(folder).values())


def test_photos_decode_and_are_of_one_size() -> None:
    photos = images.list_images(DATA / "photos")
    assert len(photos) >= 12
    for path in photos:
        assert 300 <= min(images.read_uint8(path).shape[1:]) <= 320


def test_the_shards_are_what_their_index_says() -> None:
    listed = index.parse((DATA / "shards" / index.NAME).read_bytes(), index.NAME)
    assert listed is not None
    assert {shard.file for shard in listed} == {path.name for path in (DATA / "shards").glob("*.tar")}
    for shard in listed:
        scan = index.scan(DATA / "shards" / shard.file)
        assert scan.cut_at_byte is None
        assert (shard.bytes, shard.samples) == (scan.shard.bytes, scan.shard.samples)
        assert shard.sha256 == index.digest(DATA / "shards" / shard.file)


def test_photos_in_the_shard_decode_and_are_of_one_size(shards: Shards) -> None:
    assert 12 <= len(shards) <= 30
    for number in range(len(shards)):
        assert min(decode_photo(shards.read(number)).shape[1:]) == 384


def test_the_defaults_stream_the_shard_and_hold_a_photo_out_of_it(shards: Shards) -> None:
    cfg = config.compose([])
    source = open_source(str(samples.resolve(cfg.data.path)), source=cfg.data.source)
    assert isinstance(source, Shards)
    train, validation = split(source, cfg.data.val_photos)
    held_out = {source.key(number) for number in validation}
    assert held_out
    assert held_out | {train.key(number) for number in range(len(train))} == {shards.key(n) for n in range(len(shards))}
    assert held_out.isdisjoint(train.key(number) for number in range(len(train)))


def test_the_quickstart_paints_photos_that_its_network_has_not_seen(shards: Shards) -> None:
    script = (DATA.parent / "scripts" / "quickstart").read_text()
    painted = set(re.findall(r"sample:([a-z]+)", script))
    assert len(painted) >= 3
    assert painted.isdisjoint(shard_names([shards.key(number) for number in range(len(shards))]))


def test_paintings_have_the_stroke_widths_that_they_are_said_to_have() -> None:
    table = json.loads((DATA / "paintings" / "paintings.json").read_text())
    assert {path.name for path in images.list_images(DATA / "paintings")} == set(table)
    for name, entry in table.items():
        short_px = min(images.read_uint8(DATA / "paintings" / name).shape[1:])
        assert short_px == entry["short_side_px"] >= 2.8 * 256
        for size in ("stroke_px", "length_px"):
            assert entry[f"{size}_at_256"] == pytest.approx(entry[size] * 256 / short_px, abs=0.0005)


def test_samples_stay_small() -> None:
    others = [path for path in DATA.rglob("*") if path.is_file() and path.parent.name != "models"]
    assert sum(path.stat().st_size for path in others) <= 8_000_000
    assert all(path.stat().st_size <= 3_000_000 for path in (DATA / "models").iterdir())


@pytest.mark.parametrize("name", ["starry-night", "the-scream"])
def test_embedded_models_tell_how_they_were_trained_and_take_a_stroke(name: str) -> None:
    model = brushnet.load(name)
    assert str(model.meta.training["command"]).startswith("brushnet train ")
    assert model.meta.training["control"]["slope"] > 0.7
    photo = images.read(DATA / "photos" / "cat.jpg")[..., :128, :128]
    fine, broad = model(photo, stroke=0.5), model(photo, stroke=2.0)
    assert (fine - broad).abs().mean() > 0.02


@pytest.mark.parametrize("name", ["starry-night", "the-scream"])
def test_each_half_of_a_two_level_map_is_painted_as_the_whole_is_with_its_stroke(name: str) -> None:
    photo = images.read(DATA / "photos" / "temple.jpg")[..., :256, :384]
    model = brushnet.load(name)
    two_levels = torch.full((1, 1, 16, 24), 0.5)
    two_levels[..., 12:] = 2.0
    mapped, fine, broad = (model(photo, stroke=stroke) for stroke in (two_levels, 0.5, 2.0))
    left, right = slice(0, 128), slice(256, 384)  # beyond the transition
    for half, own, other in ((left, fine, broad), (right, broad, fine)):
        to_own, to_other = ((mapped - each)[..., half].abs().mean() for each in (own, other))
        assert to_own < 0.5 * to_other
