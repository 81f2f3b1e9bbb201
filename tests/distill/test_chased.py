import torch

from brushnet.distill.chased import MOVE, chased
from brushnet.distill.objective import mapped
from brushnet.losses import energy, statistics


def style_gap(student, picture, other):
    found, wanted = (
        mapped(statistics(student(x, last="relu1_1")["relu1_1"], kind="covariance"), student.maps["relu1_1"]).matrix
        for x in (picture, other)
    )
    return energy(found - wanted)


def test_the_first_pictures_come_closer_to_the_style_of_the_next_and_the_rest_stay(student):
    batch = torch.cat([0.4 + 0.2 * torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)])
    moved = chased(student, batch, count=2, moves=2, last="relu1_1")
    assert (style_gap(student, moved[:2], batch[2:]) < style_gap(student, batch[:2], batch[2:])).all()
    assert torch.equal(moved[2:], batch[2:])


def test_pictures_stay_in_range_and_move_by_the_size_given(student):
    batch = torch.full((4, 3, 32, 32), 0.5) + 0.1 * torch.rand(4, 3, 32, 32)
    moved = chased(student, batch, count=1, moves=1, last="relu2_1")
    assert moved.min() >= 0
    assert moved.max() <= 1
    torch.testing.assert_close((moved[0] - batch[0]).square().mean().sqrt(), torch.tensor(MOVE), rtol=0.02, atol=0)


def test_the_student_is_not_changed_by_it(student):
    chased(student, torch.rand(4, 3, 32, 32), count=1, moves=2, last="relu3_1")
    assert all(parameter.grad is None for parameter in student.parameters())
