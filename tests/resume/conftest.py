"""Trainings to break, and the ones that never stopped to compare them with."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.resume.runs import VARIANTS, Attempt, Forks, Trial, Variant, make_data


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    starter = Forks()
    yield starter
    starter.close()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def unbroken(forks: Forks, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Variant], Trial]:
    """unbroken(variant) -> its training without any stop; each is made once. `operations.txt` tells what it wrote."""
    made: dict[Variant, Trial] = {}

    def make(variant: Variant) -> Trial:
        if any("{base}" in each for each in variant.overrides):
            shutil.copy(make(VARIANTS[0]).run_folder / "model.safetensors", data / "base.safetensors")
        if variant not in made:
            trial = Trial(forks, variant, data, tmp_path_factory.mktemp(variant.name))
            attempt = trial.go_on(environment={"BRUSHNET_TEST_RECORD": str(trial.folder / "operations.txt")})
            assert attempt == Attempt(0, attempt.seconds), (trial.folder / "output.txt").read_text()
            made[variant] = trial
        return made[variant]

    return make
