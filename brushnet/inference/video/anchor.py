"""Holds a moving camera's picture still on the network's grid.

The network works at a quarter of the resolution and its trunk at 1 / (8 s), say: moved by a pixel, the same photo is
painted with other strokes, and a pan boils. So each frame is laid on a canvas of constant size such that what it shows
lies on the same points of the grid as in the frame before. For that one shift of the whole frame is found, by phase
correlation (Kuglin and Hines 1975); things that move by themselves are not followed.

Shape letters: H W frame size, h w size of what is compared.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet.nets.transformer import STRIDE

COMPARED_PX = 384  # a side at most, in the middle of the frame: more costs time and finds the same
LOWPASS = 0.12  # cycles a px; finer is mostly noise of the sensor and of the codec
CERTAIN = 0.15  # of the correlation's peak, which is 1 for a frame that has only moved; of two scenes it is 0.05
FARTHEST = 0.3  # of the compared side: beyond, too little of the key frame is in sight
STAYS_PX = 0.65
CELL_PX = 16  # where the brush moves or is a map: the stride's grid alone
_GRIDS = range(4, 15)
_FITTING = 0.1


def cell_px(zoom: float) -> int:
    """Movements of so many px leave the picture on the same points of the grid: of the stride's and of the trunk's.

    `zoom` is the network's `trunk_zoom`. Nearly so for most scales; at least 16, since where a cell is left for the
    next, the nearness counts.
    """
    misfit = {cells: abs(cells / zoom - round(cells / zoom)) for cells in _GRIDS}
    return STRIDE * next((cells for cells in _GRIDS if misfit[cells] <= _FITTING), min(misfit, key=misfit.__getitem__))


class Anchor:
    """Call it on each frame in turn. Each is compared with a key frame, as long as that is still in sight.

    Not with the frame before alone: small errors would add up, and a camera at rest would drift.
    """

    def __init__(self) -> None:
        self.key: Tensor | None = None  # its spectrum
        self.before: Tensor | None = None
        self.key_at = self.at = (0.0, 0.0)  # how far the picture has moved since the scene began
        self.placed = (0, 0)

    def __call__(self, frame_3HW: Tensor, *, cut: bool) -> tuple[int, int]:
        """How far, in px, the picture has moved right and down since the scene began. `frame` is uint8."""
        spectrum, size = _spectrum(frame_3HW), _size(frame_3HW)
        if cut or self.key is None or self.before is None or self.key.shape != spectrum.shape:
            self.key, self.key_at, self.at, self.placed = spectrum, (0.0, 0.0), (0.0, 0.0), (0, 0)
        else:
            moved = _shift(self.key, spectrum, size)
            if moved is None:
                self.key, self.key_at = self.before, self.at
                moved = _shift(self.key, spectrum, size) or (0.0, 0.0)
            self.at = self.key_at[0] + moved[0], self.key_at[1] + moved[1]
        self.before = spectrum
        self.placed = _placed(self.at[0], self.placed[0]), _placed(self.at[1], self.placed[1])
        return self.placed


def on_canvas(frame_3HW: Tensor, moved: tuple[int, int], cell: int) -> tuple[Tensor, tuple[int, int]]:
    """The frame on a canvas of whole cells that has room for every place, and the frame's place on it: left, top."""
    height, width = frame_3HW.shape[-2:]
    left, top = (-each % cell for each in moved)
    right, bottom = (_canvas_px(side, cell) - side - start for side, start in ((width, left), (height, top)))
    mode = "reflect" if min(height, width) > 2 * cell else "replicate"
    return F.pad(frame_3HW[None], (left, right, top, bottom), mode=mode)[0], (left, top)


def _canvas_px(side: int, cell: int) -> int:
    return -(-(side + cell - 1) // cell) * cell


def _size(frame_3HW: Tensor) -> tuple[int, int]:
    return min(COMPARED_PX, frame_3HW.shape[-2]), min(COMPARED_PX, frame_3HW.shape[-1])


def _spectrum(frame_3HW: Tensor) -> Tensor:
    """Of the middle, its brightness; fading towards the borders, which do not go on."""
    (h, w), (height, width) = _size(frame_3HW), frame_3HW.shape[-2:]
    top, left = (height - h) // 2, (width - w) // 2
    grey_hw = frame_3HW[:, top : top + h, left : left + w].float().mean(dim=0)
    window_hw = torch.hann_window(h).view(-1, 1) * torch.hann_window(w)
    return torch.fft.rfft2((grey_hw - grey_hw.mean()) * window_hw)


def _shift(before: Tensor, after: Tensor, size: tuple[int, int]) -> tuple[float, float] | None:
    """Right and down, with fractions; None where there is no certain one."""
    h, w = size
    cross = after * before.conj()
    distance = torch.fft.fftfreq(h).view(-1, 1).square() + torch.fft.rfftfreq(w).square()
    weight = torch.exp(-distance / (2 * LOWPASS**2))
    correlation_hw = torch.fft.irfft2(weight * cross / cross.abs().clamp_min(1e-6), s=size)
    perfect = torch.fft.irfft2(weight.to(cross.dtype), s=size)[0, 0]
    row, column = divmod(int(correlation_hw.argmax()), w)
    if correlation_hw[row, column] < CERTAIN * perfect:
        return None
    down = _signed(row + _vertex(correlation_hw[:, column], row), h)
    right = _signed(column + _vertex(correlation_hw[row], column), w)
    in_sight = abs(right) < FARTHEST * w and abs(down) < FARTHEST * h
    return (right, down) if in_sight else None


def _placed(at: float, before: int) -> int:
    """In whole px; the same as before where it is near enough, or noise would have it jump to and fro."""
    return before if abs(at - before) < STAYS_PX else round(at)


def _vertex(values: Tensor, place: int) -> float:
    """Of the bell through the peak and its neighbours, -0.5 to 0.5 beside `place`."""
    low, peak, high = (float(values[(place + step) % len(values)].clamp_min(1e-9).log()) for step in (-1, 0, 1))
    curvature = low - 2 * peak + high
    return 0.0 if curvature >= 0 else max(-0.5, min(0.5, (low - high) / (2 * curvature)))


def _signed(place: float, period: int) -> float:
    return place - period if place > period / 2 else place
