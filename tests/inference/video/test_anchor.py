"""How far the picture has moved, and where on the canvas a frame is laid."""

import pytest
import torch
from torch.nn import functional as F

from brushnet import images
from brushnet.inference.video.anchor import Anchor, cell_px, on_canvas

SIDES = (4, 12, 40, 90, 180)  # of its layers, in cells


def scene(seed: int, size: tuple[int, int] = (200, 260)) -> torch.Tensor:
    """Clouds of every size, uint8 (3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    layers = [F.interpolate(torch.rand(1, 3, side, side, generator=generator), size, mode="bicubic") for side in SIDES]
    return images.to_uint8((sum(layers) / len(SIDES)).clamp(0, 1))[0]


def part(picture: torch.Tensor, left: int, top: int) -> torch.Tensor:
    return picture[:, top : top + 120, left : left + 160]


def noisy(picture: torch.Tensor, seed: int) -> torch.Tensor:
    noise = 4 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return (picture + noise).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("step", [(1, 0), (0, 3), (-3, 2), (9, -5)])
def test_movement_of_the_camera_is_summed_in_whole_pixels(step):
    anchor, picture = Anchor(), scene(0)
    places = [(40 + step[0] * number, 40 + step[1] * number) for number in range(7)]
    moved = [anchor(noisy(part(picture, *place), at), cut=at == 0) for at, place in enumerate(places)]
    assert moved == [(-step[0] * number, -step[1] * number) for number in range(7)]  # the picture goes the other way


def test_slow_pan_is_followed_in_fractions():
    anchor, picture = Anchor(), images.to_float(scene(1, (240, 1200)))[None]
    for number in range(9):  # a quarter of a pixel each
        frame = picture[..., number : number + 800]
        small = F.interpolate(frame, (120, 200), mode="area")
        anchor(images.to_uint8(small)[0], cut=number == 0)
    assert anchor.at == (pytest.approx(-2, abs=0.2), pytest.approx(0, abs=0.1))


def test_camera_at_rest_stays_at_rest_in_noise_and_under_a_passing_thing():
    anchor, picture, thing = Anchor(), part(scene(0), 0, 0), part(scene(5), 0, 0)[:, :50, :40]
    for number in range(20):
        frame = noisy(picture, number)
        frame[:, 40:90, 5 * number : 5 * number + 40] = thing
        assert anchor(frame, cut=number == 0) == (0, 0)


def test_a_long_pan_is_followed_after_its_first_frame_is_out_of_sight():
    anchor, picture = Anchor(), scene(0, (120, 900))
    moved = [anchor(noisy(part(picture, 7 * number, 0), number), cut=number == 0) for number in range(100)]
    assert moved[-1] == (pytest.approx(-7 * 99, abs=8), pytest.approx(0, abs=1))


def test_another_scene_begins_anew():
    anchor, picture = Anchor(), scene(0)
    anchor(part(picture, 0, 0), cut=True)
    assert anchor(part(picture, 5, 0), cut=False) == (-5, 0)
    assert anchor(part(scene(3), 0, 0), cut=True) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_of_two_scenes_no_movement_is_made_up(seed):
    anchor = Anchor()
    anchor(part(scene(seed), 0, 0), cut=False)
    assert anchor(part(scene(seed + 50), 0, 0), cut=False) == (0, 0)


@pytest.mark.parametrize("flat", [0, 128])
def test_flat_frames_do_not_move(flat):
    anchor = Anchor()
    frames = [torch.full((3, 48, 64), flat, dtype=torch.uint8)] * 3
    assert [anchor(frame, cut=False) for frame in frames] == [(0, 0)] * 3


@pytest.mark.parametrize("cell", [16, 28])
@pytest.mark.parametrize("size", [(120, 160), (37, 51), (9, 5)])
def test_what_moved_lies_at_the_same_place_of_the_grid(cell, size):
    frame, sizes = scene(0)[:, : size[0], : size[1]], set()
    for moved in [(0, 0), (1, 0), (-3, 5), (cell, -cell), (-40, 100)]:
        canvas, (left, top) = on_canvas(frame, moved, cell)
        sizes.add(tuple(canvas.shape))
        assert torch.equal(canvas[:, top : top + size[0], left : left + size[1]], frame)
        assert ((left + moved[0]) % cell, (top + moved[1]) % cell) == (0, 0)
    assert len(sizes) == 1  # or the trunk's grid would be another


def test_cells_fit_the_grids_of_the_stride_and_of_the_trunk():
    for zoom in [0.5, 0.7, 1, 1.4, 1.7, 2, 2.8, 4, 5.6]:
        cell, trunk_px = cell_px(zoom), 4 * zoom
        assert cell % 4 == 0
        assert abs(cell / trunk_px - round(cell / trunk_px)) <= 0.1, zoom
        assert 16 <= cell <= 56
