"""A run that was killed anywhere and resumed ends as one that never stopped, in all that compare.py looks at."""

import signal
from collections.abc import Iterator
from itertools import count

import pytest

from brushnet import seeds
from tests.resume.compare import assert_equal_runs
from tests.resume.runs import VARIANTS, Processes, Trial, Variant, tail

KILLS = 3  # of each of nine kinds of training

FEW_STEPS = Variant("few-steps", steps=9)
DDP = Variant("ddp", ("data.path='{shards}'",), ranks=2)


def moments(name: str) -> Iterator[float]:
    """Endless moments, uniform in [0, 1]: the share of the time that a training takes."""
    return (float(seeds.rng(7, f"kill {name}", number).uniform(0, 1)) for number in count())


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_stopped(forks, data, unbroken, tmp_path):
    whole, broken = unbroken(FEW_STEPS), Trial(forks, FEW_STEPS, data, tmp_path)
    assert broken.go_on(kill={"operation": 2}).killed
    assert not (broken.run_folder / "config.yaml").exists()
    assert broken.go_on(kill={"call": "brushnet.training.module:StyleTraining.validation_step", "number": 0}).killed
    assert not list(broken.run_folder.glob("checkpoints/*"))
    size = (whole.run_folder / "checkpoints" / "last.ckpt").stat().st_size
    assert broken.go_on(kill={"operation": 5, "bytes": size // 2}).killed
    broken.finish()
    assert_equal_runs(whole.run_folder, broken.run_folder)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_killed_at_random_moments(forks, data, unbroken, tmp_path, variant):
    whole = unbroken(variant)
    when, seconds = moments(variant.name), whole.attempts[0].seconds
    trials: list[Trial] = []
    while sum(trial.kills for trial in trials) < KILLS:
        left = KILLS - sum(trial.kills for trial in trials)
        trials.append(Trial(forks, variant, data, tmp_path / str(len(trials))))
        trials[-1].survive(next(when) * seconds for _ in range(left))
        if not trials[-1].kills:  # the machine is less busy now
            seconds = trials[-1].attempts[0].seconds
        assert_equal_runs(whole.run_folder, trials[-1].run_folder)
    report(variant, trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("brushnet.training.module:StyleTraining.on_fit_start", 0),
        ("brushnet.training.module:StyleTraining.training_step", 0),
        ("brushnet.training.module:StyleTraining.training_step", 4),
        ("brushnet.training.module:StyleTraining.validation_step", 1),
        ("brushnet.training.module:StyleTraining.on_validation_epoch_end", 1),
        ("brushnet.training.module:StyleTraining.on_save_checkpoint", 1),
        ("torch.optim.adam:Adam.step", 6),
        ("brushnet.images:sheet", 1),
        ("brushnet.models:save", 0),
    ],
)
@pytest.mark.parametrize("variant", VARIANTS[:3:2], ids=lambda variant: variant.name)
def test_killed_at_the_start_of(forks, data, unbroken, tmp_path, variant, call, number):
    whole, broken = unbroken(variant), Trial(forks, variant, data, tmp_path)
    assert broken.go_on(kill={"call": call, "number": number}).killed
    assert broken.go_on(kill={"call": call, "number": number}).killed or number > 0
    if broken.attempts[-1].killed:
        broken.finish()
    assert_equal_runs(whole.run_folder, broken.run_folder)


@pytest.mark.slow
@pytest.mark.parametrize("variant", [VARIANTS[1], DDP], ids=lambda variant: variant.name)
def test_killed_as_a_user_starts_it(data, unbroken, tmp_path, variant):
    """In processes of their own, of which DDP starts its second one itself; compared with a fork that never stopped."""
    whole, broken = unbroken(variant), Trial(Processes(), variant, data, tmp_path)
    step = "brushnet.training.module:StyleTraining.training_step"
    for number in (6, 3):
        assert broken.go_on(kill={"call": step, "number": number}).killed
    when, seconds = moments(variant.name), broken.attempts[0].seconds
    broken.survive(next(when) * seconds for _ in range(2))
    assert_equal_runs(whole.run_folder, broken.run_folder)
    report(variant, [broken])


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_where_one_process_of_two_dies_the_other_ends_and_the_run_goes_on(data, unbroken, tmp_path, rank):
    whole, broken = unbroken(DDP), Trial(Processes(), DDP, data, tmp_path)
    step = "brushnet.training.module:StyleTraining.training_step"
    attempt = broken.go_on(kill={"call": step, "number": 6, "rank": rank})
    assert attempt.code in (-signal.SIGKILL, 1), tail(tmp_path)
    broken.finish()
    assert_equal_runs(whole.run_folder, broken.run_folder)


def report(variant: Variant, trials: list[Trial]) -> None:
    """Shown by `pytest -rP`."""
    for trial in trials:
        ends = ", ".join(f"{each.code} after {each.seconds:.2f} s" for each in trial.attempts)
        print(f"{variant.name}: {trial.kills} kills; exit codes: {ends}; equal to the unbroken run")
