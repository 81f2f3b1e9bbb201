"""Killed between any two file operations of a whole run, and in the middle of each file."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.resume.compare import differences
from tests.resume.runs import Forks, Trial, Variant

# Every kind of operation, in few steps: checkpoints at 2, 4 and the end, validation at 3, grids at 2, 4 and the end.
SHORT = (
    "trainer.checkpoint_every_steps=2",
    "trainer.validate_every_steps=3",
    "trainer.sample_every_steps=2",
)
ONE = Variant("bank-folder", SHORT, steps=5)
TWO = Variant("crop-shards-ddp", ("style.target=crop", "data.path='{shards}'", *SHORT), ranks=2, steps=5)


@pytest.mark.slow
def test_killed_before_each_file_operation(forks, data, unbroken, tmp_path):
    whole = unbroken(ONE)
    killed_before(range(len(operations(whole))), whole, forks, data, tmp_path)


@pytest.mark.slow
def test_killed_before_the_first_file_operation_of_each_kind_with_two_processes(forks, data, unbroken, tmp_path):
    done = operations(unbroken(TWO))
    killed_before([done.index(each) for each in dict.fromkeys(done)], unbroken(TWO), forks, data, tmp_path)


def killed_before(numbers: Iterable[int], whole: Trial, forks: Forks, data: Path, folder: Path) -> None:
    done, wrong, tried = operations(whole), [], 0
    for number in numbers:
        broken = Trial(forks, whole.variant, data, folder / str(number))
        assert broken.go_on(kill={"operation": number}).killed
        broken.finish()
        told = differences(whole.run_folder, broken.run_folder)
        wrong += [f"killed before {number}, {done[number]}: {each}" for each in told]
        tried += 1
    assert not wrong, "\n".join(["", *wrong])
    assert tried > 20
    print(f"{whole.variant.name}: killed before {tried} of {len(done)} file operations, resumed, all equal")


def operations(whole: Trial) -> list[str]:
    return (whole.folder / "operations.txt").read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_killed_in_the_middle_of_each_file(forks, data, unbroken, tmp_path, share):
    """The kernel ends the process where the file passes that size."""
    whole = unbroken(ONE)
    sizes = {
        "checkpoints": (whole.run_folder / "checkpoints" / "last.ckpt").stat().st_size,
        "samples": (whole.run_folder / "samples" / "step_000004.jpg").stat().st_size,
        "model.safetensors": (whole.run_folder / "model.safetensors").stat().st_size,
        "config.yaml": (whole.run_folder / "config.yaml").stat().st_size,
    }
    wrong = []
    done = operations(whole)
    for number, operation in enumerate(done):
        kind = next((kind for kind in sizes if kind in operation), None)
        if kind is None or not operation.startswith("open ") or operation == done[number - 1]:  # to be flushed
            continue
        broken = Trial(forks, ONE, data, tmp_path / str(number))
        assert broken.go_on(kill={"operation": number, "bytes": int(sizes[kind] * share)}).killed
        broken.finish()
        wrong += [f"in {number}, {operation}: {each}" for each in differences(whole.run_folder, broken.run_folder)]
    assert not wrong, "\n".join(["", *wrong])
