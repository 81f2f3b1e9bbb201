"""How much fine detail a picture has: the energy of its finest octaves, compared with another picture's.

Shape letters: H W picture size.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

OCTAVES = 2  # from 8 px per period down to the pixel: bristles and rims of strokes, noise, and what smoothing takes
_GREY = (0.299, 0.587, 0.114)  # BT.601
_NOTHING = 1e-9  # energy of a blank picture: far below rounding to 8 bits


def octave_energies(picture_13HW: Tensor, *, octaves: int = OCTAVES) -> list[float]:
    """Variance of brightness in each octave of spatial frequency, finest first, in pixel values of [0, 1].

    Frequencies are those of the faster of both axes, so that the octaves are frames that fill the spectrum to its
    corners. The window keeps the picture's edges, which are no detail, out of it.
    """
    height, width = picture_13HW.shape[-2:]
    grey_HW = (picture_13HW[0].double() * torch.tensor(_GREY, dtype=torch.float64).view(3, 1, 1)).sum(dim=0)
    window_HW = torch.hann_window(height, dtype=torch.float64)[:, None] * torch.hann_window(width, dtype=torch.float64)
    detail_HW = (grey_HW - (grey_HW * window_HW).sum() / window_HW.sum()) * window_HW
    power_HW = torch.fft.fft2(detail_HW).abs().square() / (window_HW.square().sum() * height * width)
    rows, columns = torch.fft.fftfreq(height).abs()[:, None], torch.fft.fftfreq(width).abs()[None, :]
    frequency_HW = torch.maximum(rows, columns)  # cycles per px
    edges = [0.5 / 2**octave for octave in range(octaves + 1)]
    return [float(power_HW[(frequency_HW > low) & (frequency_HW <= high)].sum()) for high, low in pairwise(edges)]


def detail_decibels(picture_13HW: Tensor, reference_13HW: Tensor) -> list[float]:
    """For each octave, finest first: above 0 where the picture has more detail than the reference; 3 dB is twice."""
    found, wanted = octave_energies(picture_13HW), octave_energies(reference_13HW)
    return [10 * math.log10((one + _NOTHING) / (other + _NOTHING)) for one, other in zip(found, wanted, strict=True)]
