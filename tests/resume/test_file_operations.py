"""Killed between any two file operations of a whole run, and with each kind of file half written."""

import pytest

from tests.resume.compare import differences
from tests.resume.runs import VARIANTS, Trial, Variant

# Every kind of operation, in few steps: checkpoints at 2, 4 and the end, validation at 3, grids at 2, 4 and the end.
SHORT = (
    "trainer.checkpoint_every_steps=2",
    "trainer.validate_every_steps=3",
    "trainer.sample_every_steps=2",
)
KINDS = [
    Variant("bank-folder", SHORT, steps=5),
    Variant(
        "crop-shards-ddp",
        ("style.target=crop", "data.path='{shards}'", *SHORT),
        ranks=2,
        steps=5,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("variant", KINDS, ids=lambda variant: variant.name)
def test_killed_before_each_file_operation(forks, data, unbroken, tmp_path, variant):
    whole = unbroken(variant)
    operations = (whole.folder / "operations.txt").read_text().splitlines()
    assert len(operations) > 20
    wrong = []
    for number, operation in enumerate(operations):
        broken = Trial(forks, variant, data, tmp_path / str(number))
        assert broken.go_on(kill={"operation": number}).killed
        broken.finish()
        wrong += [f"before {number}, {operation}: {each}" for each in differences(whole.run_folder, broken.run_folder)]
    assert not wrong
    print(f"{variant.name}: killed before each of {len(operations)} file operations")


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_killed_in_the_middle_of_each_file(forks, data, unbroken, tmp_path, share):
    """The kernel ends the process where the file passes that size."""
    whole = unbroken(VARIANTS[0])
    sizes = {
        "checkpoints": (whole.run_folder / "checkpoints" / "last.ckpt").stat().st_size,
        "samples": (whole.run_folder / "samples" / "step_000005.jpg").stat().st_size,
        "model.safetensors": (whole.run_folder / "model.safetensors").stat().st_size,
        "config.yaml": (whole.run_folder / "config.yaml").stat().st_size,
    }
    operations = (whole.folder / "operations.txt").read_text().splitlines()
    wrong = []
    for number, operation in enumerate(operations):
        kind = next((kind for kind in sizes if kind in operation), None)
        if kind is None or not operation.startswith("open "):
            continue
        broken = Trial(forks, VARIANTS[0], data, tmp_path / str(number))
        assert broken.go_on(kill={"operation": number, "bytes": int(sizes[kind] * share)}).killed
        broken.finish()
        wrong += [f"in {number}, {operation}: {each}" for each in differences(whole.run_folder, broken.run_folder)]
    assert not wrong
