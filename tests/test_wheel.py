"""The wheel works where the repository is not: configuration and samples travel in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHERE = """
import brushnet
from brushnet import samples
from brushnet.config.folder import conf_dir

print(brushnet.__file__, conf_dir(), samples.resolve("sample:astronaut"), samples.resolve("sample:shards"), sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `pip install .` builds it, but with the installed hatchling: no network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("brushnet-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site packages")
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    return target


def python(installed: Path, cwd: Path, *arguments: str) -> str:
    """Standard output of a Python that finds the installed copy before the repository."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("BRUSHNET_CONF", None)
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


KINDS = ("photos", "paintings", "shards", "lossnet", "models")


def test_the_wheel_holds_every_configuration_and_sample_file_and_the_licence(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    places = {
        "conf": "brushnet/conf",
        **{f"data/{kind}": f"brushnet/samples/{kind}" for kind in KINDS},
    }
    for folder, name in places.items():
        files = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files
        assert {f"{name}/{path.as_posix()}" for path in files} <= inside
    assert "brushnet/commands/completion_scripts/bash" in inside
    assert "brushnet/bench/reference_trainer.py" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"brushnet"}


def test_an_installed_wheel_uses_its_own_files(installed, tmp_path):
    for line in python(installed, tmp_path, "-c", WHERE).splitlines():
        assert Path(line).is_relative_to(installed)


def test_an_installed_wheel_composes_a_run_from_another_folder(installed, tmp_path):
    composed = python(installed, tmp_path, "-m", "brushnet", "train", "experiment=quickstart", "--cfg", "job")
    assert "weights: compact" in composed
    assert not list(tmp_path.iterdir())


def test_an_installed_wheel_says_how_to_stylize(installed, tmp_path):
    assert "--strokes" in python(installed, tmp_path, "-m", "brushnet", "stylize", "--help")


def test_the_command_itself_is_installed(installed, tmp_path):
    assert "brushnet 0.1" in python(installed, tmp_path, str(installed / "bin" / "brushnet"), "--version")
