"""Chords: from each edge of a picture, how far its colour lasts along the edge's normal before it changes again.

Across a stroke of width w that distance is w, whatever its direction, bend, colour and neighbours. Distances are in px
of the picture given; `width.py` looks at a pyramid of pictures, so that what is finer than a stroke is averaged out.
Shape letters: N chords, two from each edge point; D samples along a chord.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.measure.flow import blur, gradient

SHORTEST_PX, LONGEST_PX = 1.25, 16.0  # where a chord starts, past the blur of its own edge, and how far it is followed
STEP_PX = 0.25
MOST_EDGE_POINTS = 8_000
# Weaker edges are rounding to 8 bits: smooth changes become terraces, two of one grey level may lie side by side.
FAINTEST_JUMP = 4 / 255
_SMOOTH_PX = 0.8
_FAINTEST_SHARE = 0.02  # of the mean squared gradient
_BORDER_PX = 2


class Chords(NamedTuple):
    """N of them; lengths in px, `open_px` is how far a chord could be followed before it left the picture."""

    length_px: Tensor  # (N,) inf where the colour lasts beyond `open_px` or LONGEST_PX
    open_px: Tensor  # (N,)
    jump: Tensor  # (N,) change of colour across the edge it starts from, in [0, sqrt(3)]
    sharpness: Tensor  # (N,) of that edge: 0 in a steady gradient, 0.9 at a step, below 0 beside a stronger edge
    place: Tensor  # (N, 2) of that edge, y and x as shares of the picture's height and width


def chords(picture_13HW: Tensor) -> Chords:
    """Both ways from at most about 8,000 edge points; none in a picture without edges."""
    strength_HW, normal_2HW = _edge_field(picture_13HW)
    y, x, normal_2N = _edge_points(strength_HW, normal_2HW)
    sharpness = _sharpness(strength_HW, y, x, normal_2N)
    y, x, normal_2N, sharpness = y.repeat(2), x.repeat(2), torch.cat([normal_2N, -normal_2N], 1), sharpness.repeat(2)
    reach = torch.arange(-SHORTEST_PX, LONGEST_PX + SHORTEST_PX + STEP_PX / 2, STEP_PX)
    colour_3ND, open_px = _walk(picture_13HW, y, x, normal_2N, reach)
    length_px, jump = _lengths(colour_3ND)
    height, width = picture_13HW.shape[-2:]
    found = Chords(length_px, open_px, jump, sharpness, torch.stack([(y + 0.5) / height, (x + 0.5) / width], dim=1))
    clear = jump >= FAINTEST_JUMP
    return Chords(*(each[clear] for each in found))


def _edge_field(picture_13HW: Tensor) -> tuple[Tensor, Tensor]:
    """Squared gradient over the colours (H, W), and the edges' unit normal (2, H, W), y and x, from the structure
    tensor, which knows an edge between colours of the same grey."""
    dx, dy = gradient(blur(picture_13HW, _SMOOTH_PX))
    tensor_13HW = torch.stack([(dx * dx).sum(1), (dy * dy).sum(1), (dx * dy).sum(1)], dim=1)
    xx, yy, xy = blur(tensor_13HW, _SMOOTH_PX)[0]
    angle = 0.5 * torch.atan2(2 * xy, xx - yy)
    return tensor_13HW[0, 0] + tensor_13HW[0, 1], torch.stack([angle.sin(), angle.cos()])


def _edge_points(strength_HW: Tensor, normal_2HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the gradient is largest along its own direction (Canny 1986), to a fraction of a pixel: y, x, normal."""
    height, width = strength_HW.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    candidate = strength_HW > _FAINTEST_SHARE * strength_HW.mean()
    candidate &= _far_from_border(rows, columns)
    y, x = candidate.nonzero(as_tuple=True)
    normal, centre = normal_2HW[:, y, x], strength_HW[y, x]
    y, x = y.float(), x.float()
    ahead = _at(strength_HW[None], y + normal[0], x + normal[1])[0]
    behind = _at(strength_HW[None], y - normal[0], x - normal[1])[0]
    crest = ((centre > ahead) & (centre >= behind)).nonzero()[:, 0]
    crest = crest[_even_choice(y[crest], x[crest], height, width)]
    y, x, normal = y[crest], x[crest], normal[:, crest]
    before, at, after = behind[crest].sqrt(), centre[crest].sqrt(), ahead[crest].sqrt()
    shift = (0.5 * (after - before) / (2 * at - before - after).clamp_min(1e-9)).clamp(-0.5, 0.5)
    return y + shift * normal[0], x + shift * normal[1], normal


def _far_from_border(rows: Tensor, columns: Tensor) -> Tensor:
    height, width = rows.shape
    inside = (rows >= _BORDER_PX) & (rows < height - _BORDER_PX)
    return inside & (columns >= _BORDER_PX) & (columns < width - _BORDER_PX)


def _even_choice(y: Tensor, x: Tensor, height: int, width: int) -> Tensor:
    """Indices of about MOST_EDGE_POINTS of the points: the same points of a picture that is flipped or turned."""
    if len(y) <= MOST_EDGE_POINTS:
        return torch.arange(len(y))
    u, v = (2 * y - (height - 1)).abs().long(), (2 * x - (width - 1)).abs().long()
    mixed = ((u + v) * 7919 + u * v * 104729) % 1_000_003  # the same for u and v exchanged
    return (mixed < 1_000_003 * MOST_EDGE_POINTS // len(y)).nonzero()[:, 0]


def _sharpness(strength_HW: Tensor, y: Tensor, x: Tensor, normal_2N: Tensor) -> Tensor:
    at = torch.tensor([-1.5, 0.0, 1.5])
    before, here, after = _at(
        strength_HW[None], y[:, None] + at * normal_2N[0, :, None], x[:, None] + at * normal_2N[1, :, None]
    )[0].unbind(dim=1)
    return 1 - 0.5 * (before + after) / here.clamp_min(1e-12)


def _walk(picture_13HW: Tensor, y: Tensor, x: Tensor, normal_2N: Tensor, reach_D: Tensor) -> tuple[Tensor, Tensor]:
    """Colours (3, N, D) at distances `reach_D` along the normal, and how far that stays in the picture (N,)."""
    height, width = picture_13HW.shape[-2:]
    y_ND = y[:, None] + reach_D * normal_2N[0, :, None]
    x_ND = x[:, None] + reach_D * normal_2N[1, :, None]
    inside = (y_ND >= 0) & (y_ND <= height - 1) & (x_ND >= 0) & (x_ND <= width - 1) | (reach_D < SHORTEST_PX)
    steps = inside.long().cumprod(dim=1).sum(dim=1)
    return _at(picture_13HW[0], y_ND, x_ND), (reach_D[0] + (steps - 1) * STEP_PX).clamp(max=LONGEST_PX)


def _lengths(colour_3ND: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths (N,) in px and jumps (N,): the colour ends where it is off by half of the jump that it began with."""
    first = round(2 * SHORTEST_PX / STEP_PX)  # sample at +SHORTEST_PX
    behind, start = colour_3ND[:, :, 0], colour_3ND[:, :, first]
    jump = (start - behind).norm(dim=0)
    edge_px = _step_place(colour_3ND[:, :, : first + 1], behind, start, jump)
    change_ND = (colour_3ND[:, :, first:] - start[:, :, None]).norm(dim=0)
    ended_ND = change_ND > 0.5 * jump[:, None]
    ended_ND[:, :2] = False
    end = ended_ND.int().argmax(dim=1)
    length = _end_place(change_ND, end, jump) - edge_px
    beyond = ~ended_ND.any(dim=1) | (length > LONGEST_PX)
    return length.masked_fill(beyond, torch.inf), jump


def _step_place(near_3ND: Tensor, behind: Tensor, start: Tensor, jump: Tensor) -> Tensor:
    """Where the step between two colours lies, from the area under it: in px from the samples' middle, (N,).

    The crest of the gradient is not enough: the smoothing that finds it pushes the sides of a thin line apart.
    """
    rise_ND = ((near_3ND - behind[:, :, None]) * (start - behind)[:, :, None]).sum(0) / (jump**2 + 1e-12)[:, None]
    rise_ND = rise_ND.clamp(-0.5, 1.5)
    return (SHORTEST_PX - torch.trapezoid(rise_ND, dx=STEP_PX, dim=1)).clamp(-0.75, 0.75)


def _end_place(change_ND: Tensor, end: Tensor, jump: Tensor) -> Tensor:
    """Distance at which the colour changes, from the area under the change in a window around its first sign (N,).

    Its first sign alone would come early at an antialiased edge that is stronger than the one the chord began with.
    """
    half = round(SHORTEST_PX / STEP_PX) - 1
    window = (end[:, None] + torch.arange(-half, half + 1)).clamp(0, change_ND.shape[1] - 1)
    rise_ND = change_ND.gather(1, window)
    rise_ND = (rise_ND / torch.maximum(rise_ND[:, -1], 0.5 * jump)[:, None].clamp_min(1e-6)).clamp(0, 1)
    return SHORTEST_PX + (end + half) * STEP_PX - torch.trapezoid(rise_ND, dx=STEP_PX, dim=1)


def _at(planes_CHW: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Values (C, *y.shape) at fractional places, bilinear; the border pixel is repeated outwards."""
    height, width = planes_CHW.shape[-2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1).reshape(1, 1, -1, 2)
    found = F.grid_sample(planes_CHW[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found.reshape(len(planes_CHW), *y.shape)
