import pytest

from brushnet.training.schedule import learning_rate_factor


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
@pytest.mark.parametrize("total", [1, 5, 60, 2000])
def test_the_rate_rises_to_its_peak_once_and_falls_to_almost_nothing(schedule, total):
    rates = [learning_rate_factor(schedule, step, total_steps=total, warmup_steps=50) for step in range(total + 1)]
    top = rates.index(max(rates))
    assert max(rates) == 1
    assert min(rates) > 0
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert total < 60 or rates[-1] <= 0.01


def test_the_warm_up_does_not_depend_on_the_length_of_the_run():
    short, long = (
        [learning_rate_factor("cosine", step, total_steps=total, warmup_steps=50) for step in range(20)]
        for total in (500, 5000)
    )
    assert short == long
