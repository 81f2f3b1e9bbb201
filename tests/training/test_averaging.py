import pytest
import torch

from brushnet.training.averaging import ramped_average


def test_averaged_weights_forget_the_start_and_then_follow_slowly():
    average = ramped_average(0.9)
    averaged, current = [torch.zeros(1)], [torch.ones(1)]
    values = []
    for count in range(1, 60):
        average(averaged, current, torch.tensor(count))
        values.append(averaged[0].item())
    assert values[0] > 0.8
    assert values == sorted(values)
    averaged = [torch.zeros(1)]
    average(averaged, current, torch.tensor(1000))
    assert averaged[0].item() == pytest.approx(0.1)
