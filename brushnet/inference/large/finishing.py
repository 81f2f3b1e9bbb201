"""The photo's colours and the strength of a painting (see inference.finish), in bands: the same pixels within rounding.

Shape letters: H W picture size, h w layout size.
"""

from functools import partial

import torch

from brushnet.inference.colour import Colours, exchange_luma, moving
from brushnet.inference.large.passes import BandPasses
from brushnet.inference.strength import layout_size, mixed, stronger
from brushnet.nets.rows import Held, Pointwise, Resized, Rows


def is_read_once(strength: float, preserve_colour: str | None) -> bool:
    """Whether finishing needs nothing of the whole painting: then it can be written as it is painted."""
    return strength in (0, 1) and preserve_colour != "histogram"


def finish_rows(
    photo: Rows, painting: Rows, passes: BandPasses, *, strength: float, preserve_colour: str | None
) -> Rows:
    """As `finish`. Unless `is_read_once`, the painting is gone over several times."""
    if strength == 0:
        return photo
    match preserve_colour:
        case "luminance":
            painting = Pointwise(exchange_luma, painting, photo)
        case "histogram":
            painting = Pointwise(moving(_colours(painting, passes), _colours(photo, passes)), painting)
    if strength == 1:
        return painting
    layout = _layout(painting, passes)
    if strength > 1:
        return Pointwise(partial(stronger, strength=strength), painting, _enlarged(layout, painting))
    step = Held(layout.whole - _layout(photo, passes).whole)
    return Pointwise(partial(mixed, strength=strength), _enlarged(step, painting), photo, painting)


def _colours(picture: Rows, passes: BandPasses) -> Colours:
    colours = Colours()
    for _, band in passes.bands(picture):
        colours.add(band)
    return colours


def _layout(picture: Rows, passes: BandPasses) -> Held:
    layout = Resized(picture, *layout_size(picture.height, picture.width))
    return Held(torch.cat([band for _, band in passes.bands(layout)], dim=2))


def _enlarged(layout: Held, like: Rows) -> Rows:
    return Resized(layout, like.height, like.width)
