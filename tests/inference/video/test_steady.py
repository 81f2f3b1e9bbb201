"""Frames that are painted with statistics held over time, at the same places of the grid."""

import math

import pytest
import torch

from brushnet.inference.video.steady import SteadyPainter
from brushnet.inference.video.watcher import Look


@pytest.fixture
def frames() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 8, generator=generator), (48, 64), mode="bicubic")
    return torch.cat([(base * light).clamp(0, 1) for light in (1, 0.8, 0.5, 0.3, 0.9, 1)])


def painted(painter, frames, *, batch=1, cuts=(), stroke=1.0, step=0):
    looks = [Look(number / 25, number in cuts, (step * number, 0)) for number in range(len(frames))]
    starts = range(0, len(frames), batch)
    return torch.cat([painter(frames[start : start + batch], stroke, looks[start : start + batch]) for start in starts])


@torch.no_grad()
def test_without_holding_each_frame_is_the_models_picture(model, frames):
    steady = painted(SteadyPainter(model, grid=False, hold_s=0), frames, batch=3, stroke=1.3)
    torch.testing.assert_close(steady, torch.cat([model(frame[None], 1.3) for frame in frames]))


@torch.no_grad()
@pytest.mark.parametrize("batch", [2, 4, 6])
def test_any_batch_gives_the_same(model, frames, batch):
    one = painted(SteadyPainter(model, grid=False, hold_s=0.1), frames, cuts=(0, 3))
    torch.testing.assert_close(
        painted(SteadyPainter(model, grid=False, hold_s=0.1), frames, batch=batch, cuts=(0, 3)), one
    )


@torch.no_grad()
def test_a_scene_of_one_picture_is_that_picture_and_nothing_of_the_scene_before(model, frames):
    scenes = torch.cat([frames[:2], frames[3:4], frames[3:4]])
    made = painted(SteadyPainter(model, grid=False, hold_s=1), scenes, cuts=(0, 2))
    for frame in made[2:]:
        torch.testing.assert_close(frame[None], model(frames[3:4]))


@torch.no_grad()
def test_what_is_held_fades_with_the_time_constant(model, frames):
    painter = SteadyPainter(model, grid=False, hold_s=0.5)
    first, second = (
        model.net.norm_moments(frame[None], torch.zeros(1, 1, 1, 1), torch.ones(1, 1))[0] for frame in frames[:2]
    )
    painter(frames[:1], 1.0, [Look(0.0, cut=True)])
    painter(frames[1:2], 1.0, [Look(0.2, cut=False)])
    kept = math.exp(-0.2 / 0.5)
    for before, own, held in zip(first, second, painter.held[0], strict=True):
        torch.testing.assert_close(held, kept * before + (1 - kept) * own)


@torch.no_grad()
def test_thing_that_enters_changes_the_rest_less_than_without_holding(model, frames):
    scene = frames[:1].repeat(6, 1, 1, 1)
    scene[3:, :, 30:, 40:] = torch.tensor([1.0, 0, 0]).view(3, 1, 1)

    def far_change(hold_s):
        made = painted(SteadyPainter(model, grid=False, hold_s=hold_s), scene)
        return float((made[3] - made[2])[:, :8, :8].abs().mean())

    assert far_change(1.0) < 0.2 * far_change(0)


@torch.no_grad()
def test_a_picture_that_moves_keeps_its_strokes_where_it_is_held_on_the_grid(model):
    generator = torch.Generator().manual_seed(0)
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 40, 60, generator=generator), (160, 240), mode="bicubic")
    frames = torch.cat([wide[..., 3 * number : 3 * number + 200] for number in range(5)]).clamp(0, 1)

    def boiling(grid):
        made = painted(SteadyPainter(model, grid=grid, hold_s=0), frames, step=-3)
        return float((made[1:, ..., :-3] - made[:-1, ..., 3:])[..., 32:-32, 32:-32].abs().mean())

    assert boiling(True) < 0.3 * boiling(False)


@torch.no_grad()
def test_frames_on_the_grid_in_a_batch_are_those_one_by_one(model, frames):
    one = painted(SteadyPainter(model, hold_s=0.1), frames, step=5)
    torch.testing.assert_close(painted(SteadyPainter(model, hold_s=0.1), frames, step=5, batch=4), one)


@torch.no_grad()
def test_light_that_wavers_is_painted_as_if_it_did_not(model, frames):
    still = (0.8 * frames[:1]).repeat(4, 1, 1, 1)
    looks = [Look(number / 25, number == 0, gain=1 / gain) for number, gain in enumerate((1, 1.1, 0.9, 1))]
    wavering = torch.cat([frame[None] / look.gain for frame, look in zip(still, looks, strict=True)])
    torch.testing.assert_close(SteadyPainter(model)(wavering, 1.0, looks), painted(SteadyPainter(model), still))


@torch.no_grad()
def test_models_of_one_stroke_are_told_none(make_model, frames):
    model = make_model(mode="fixed", low=1.5, high=1.5)
    torch.testing.assert_close(
        painted(SteadyPainter(model, grid=False, hold_s=0), frames[:2], stroke=1.5), model(frames[:2])
    )
