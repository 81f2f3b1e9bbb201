import pytest

from brushnet.bench.steps import PARTS, StepParts


@pytest.fixture
def parts(clock):
    found = StepParts(clock)
    found.on = True
    return found


def one_step(parts, clock):
    """As Lightning calls a profiler in a step whose optimisation is manual."""
    paint = parts.painting(lambda: clock.pass_by(2))
    for action in ("[_TrainingEpochLoop].train_dataloader_next", "[Strategy]SingleDeviceStrategy.batch_to_device"):
        with parts.profile(action):
            clock.pass_by(0.5)
    with parts.profile("[Strategy]SingleDeviceStrategy.training_step"):
        clock.pass_by(0.25)  # targets
        paint()
        clock.pass_by(4)
        with parts.profile("[Callback]Other.on_before_backward"):
            pass
        with parts.profile("[LightningModule]StyleTraining.on_before_backward"):
            pass
        clock.pass_by(8)
        with parts.profile("[LightningModule]StyleTraining.on_after_backward"):
            pass
        clock.pass_by(16)
    clock.pass_by(32)  # callbacks


def test_each_part_gets_its_time_and_they_sum_to_the_step(parts, clock):
    for _ in range(2):
        one_step(parts, clock)
    found = parts.per_step(2, clock.time)
    wanted = {"data": 1, "network": 2, "loss_network": 4, "backward": 8, "optimiser": 16, "rest": 32.25}
    assert found == wanted
    assert tuple(found) == PARTS
    assert sum(found.values()) == clock.time / 2


def test_nothing_is_timed_while_it_is_off(parts, clock):
    parts.on = False
    one_step(parts, clock)
    assert parts.per_step(1, clock.time) == {**dict.fromkeys(PARTS, 0), "rest": clock.time}


def test_a_step_without_these_hooks_is_all_rest(parts, clock):
    with parts.profile("[Strategy]SingleDeviceStrategy.training_step"):
        clock.pass_by(3)
    assert parts.per_step(1, clock.time)["rest"] == 3


def test_starting_over_forgets(parts, clock):
    one_step(parts, clock)
    parts.start_over()
    assert not any(parts.seconds.values())
