import pytest
import torch

from brushnet.baselines.descent import descend
from brushnet.errors import BrushnetError

GREY = torch.full((1, 3, 4, 4), 0.5)


def test_the_minimum_is_found():
    wanted = torch.rand(1, 3, 4, 4)
    found = descend(GREY, lambda picture, step: (picture - wanted).square().sum(), iterations=150)
    torch.testing.assert_close(found, wanted, atol=0.01, rtol=0)


def test_pixels_stay_in_their_range():
    found = descend(GREY, lambda picture, step: picture.sum(), iterations=60)
    torch.testing.assert_close(found, torch.zeros_like(found))


def test_the_loss_is_told_the_step_and_the_progress_the_loss():
    steps, said = [], []

    def loss(picture, step):
        steps.append(step)
        return picture.sum()

    descend(GREY, loss, iterations=3, progress=said.append)
    assert steps == [0, 1, 2]
    assert said[0] == "loss 24.0000"
    assert len(said) == 3


def test_no_step_leaves_the_picture_and_the_start_is_never_changed():
    torch.testing.assert_close(descend(GREY, lambda picture, step: picture.sum(), iterations=0), GREY)
    descend(GREY, lambda picture, step: picture.sum(), iterations=5)
    assert (GREY == 0.5).all()


def test_a_loss_that_is_not_finite_ends_it():
    with pytest.raises(BrushnetError, match=r"the loss is not finite; a smaller --style-weight may help"):
        descend(GREY, lambda picture, step: picture.sum() * torch.inf, iterations=3)
