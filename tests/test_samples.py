"""Shipped samples: found in the repository and in a wheel, by name."""

from pathlib import Path

import pytest

from brushnet import samples
from brushnet.errors import BrushnetError, UserError


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    for name in [
        "photos/harbour.jpg",
        "photos/cat.jpg",
        "paintings/waves.png",
        "paintings/cat.png",
        "shards/shard-000000.tar",
        "models/sky.safetensors",
    ]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for folder in ("paintings", "shards"):
        (tmp_path / folder / "index.json").write_text("{}")
    (tmp_path / "photos" / ".hidden.jpg").write_text("")
    monkeypatch.setattr(samples, "samples_dir", lambda: tmp_path)
    return tmp_path


def test_samples_of_the_repository_are_found():
    assert samples.samples_dir().name in ("data", "samples")
    assert samples.resolve("sample:photos").is_dir()


def make_installation(root: Path, *folders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ["brushnet", *folders]:
        (root / folder).mkdir(parents=True)
    monkeypatch.setattr(samples, "__file__", str(root / "brushnet" / "samples.py"))


def test_samples_of_a_wheel_lie_in_the_package(tmp_path, monkeypatch):
    make_installation(tmp_path, "brushnet/samples", "data", monkeypatch=monkeypatch)
    assert samples.samples_dir() == tmp_path / "brushnet" / "samples"


def test_another_packages_data_folder_is_not_taken_for_ours(tmp_path, monkeypatch):
    make_installation(tmp_path, "data", monkeypatch=monkeypatch)
    with pytest.raises(BrushnetError, match=r"samples are missing from this installation \(no .*brushnet/samples\)"):
        samples.samples_dir()


def test_a_path_stays_one(shipped):
    assert samples.resolve("photos/harbour.jpg") == Path("photos/harbour.jpg")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("photos", "photos"),
        ("shards", "shards"),
        ("shard-000000", "shards/shard-000000.tar"),
        ("photos/harbour", "photos/harbour.jpg"),
        ("harbour", "photos/harbour.jpg"),
        ("waves.png", "paintings/waves.png"),
        ("paintings/cat", "paintings/cat.png"),
    ],
)
def test_sample_by_name(shipped, name, path):
    assert samples.resolve(f"sample:{name}") == shipped / path


@pytest.mark.parametrize("name", ["", "cat", "../photos", "index", ".hidden", "photos/.hidden", "/etc/passwd"])
def test_names_that_are_none_or_not_one_sample_are_refused(shipped, name):
    with pytest.raises(UserError, match=rf"^sample:{name}: no such sample; (there are: |did you mean sample:)"):
        samples.resolve(f"sample:{name}")


def test_nearest_sample_is_suggested(shipped):
    with pytest.raises(UserError, match=r"sample:photo: no such sample; did you mean sample:photos\?"):
        samples.resolve("sample:photo")


def test_embedded_models_by_name(shipped):
    assert samples.models() == {"sky": shipped / "models" / "sky.safetensors"}
