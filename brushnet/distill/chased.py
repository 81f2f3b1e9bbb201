"""Pictures as a network in training makes them: pushed towards another style by the student's own gradient.

A student that only ever sees clean pictures is right about those. Where a painting would please it and not the teacher
is found, and unlearned, on these.

Shape letters: B batch.
"""

import torch
from torch import Tensor

from brushnet.distill.objective import MEAN_WEIGHT, mapped
from brushnet.distill.student import Student
from brushnet.losses import Statistics, StyleTarget, statistics, style_distance, target_of

FLOOR = 1e-6  # of the energies, which are about 1
MOVE = 0.05  # root mean square of all moves together, of a picture in [0, 1]


def chased(student: Student, batch_B3HW: Tensor, *, count: int, moves: int, last: str) -> Tensor:
    """The batch with its first `count` pictures moved, in `moves` steps, towards the style of those that follow."""
    with torch.no_grad():
        goals = _styles(student, batch_B3HW[count : 2 * count], last)
    moved = batch_B3HW[:count]
    for _ in range(moves):
        moved = _move(student, moved, goals, last, MOVE / moves)
    return torch.cat([moved, batch_B3HW[count:]]).contiguous(memory_format=torch.channels_last)


def _move(student: Student, pictures: Tensor, goals: dict[str, Statistics], last: str, size: float) -> Tensor:
    pictures = pictures.detach().requires_grad_()
    distances = [
        style_distance(found, _target(goals[name]), mean_weight=MEAN_WEIGHT).sum()
        for name, found in _styles(student, pictures, last).items()
    ]
    (gradient,) = torch.autograd.grad(torch.stack(distances).sum(), pictures)
    strength = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    return (pictures - size * gradient / strength).clamp(0, 1).detach()


def _styles(student: Student, pictures: Tensor, last: str) -> dict[str, Statistics]:
    feats = student(pictures, last=last)
    return {name: mapped(statistics(layer, kind="covariance"), student.maps[name]) for name, layer in feats.items()}


def _target(goal: Statistics) -> StyleTarget:
    """A picture without any texture has no energy to divide by."""
    whole = target_of(goal)
    return whole._replace(matrix_energy=whole.matrix_energy + FLOOR, mean_energy=whole.mean_energy + FLOOR)
