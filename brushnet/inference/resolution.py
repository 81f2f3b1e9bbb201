"""The same look at every resolution: strokes relative to the picture's short side, and not in px.

F = 1 paints strokes as large beside the picture's short side as they are beside the painting's own. In px that is
s = F * short side / reference_px. Where no network was trained for such an s, the photo is painted at a size at which s
fits, and the painting is brought to the photo's size.

Shape letters: B batch, H W picture size, h w size of the painting that is enlarged.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from brushnet import images
from brushnet.errors import UserError
from brushnet.models import StyleModel, check_photo
from brushnet.style_mix import Style

log = logging.getLogger(__name__)

SMALLEST_PX = 64  # short side of what is painted: below, a photo has no content to speak of
LARGEST_PIXELS = 25_000_000  # of a photo that is enlarged to be painted: some gigabytes
# Contrast of an octave beside that of the next coarser one; in paintings' files 0.5 and more. With more, new fine
# strokes would be measured inside the broad ones; with none the picture is blurred.
DETAIL = 0.5
NEAR_PX = 8  # around a point of the painting, what its contrast is measured on
SOME = 1e-4


@dataclass(frozen=True)
class Sizing:
    """`wanted` is s at the photo's own size, `trained` the nearest end of the range, `stroke` s at the painted size."""

    wanted: float
    trained: float
    stroke: float
    short_px: int
    painted_px: int

    def __str__(self) -> str:
        zoom = self.short_px / self.painted_px
        if zoom > 1:
            return (
                f"strokes of {self.wanted:.3g} are beyond the trained {self.trained:g}: painted at {self.painted_px} "
                f"px and enlarged {zoom:.2g} times"
            )
        return (
            f"strokes of {self.wanted:.3g} are below the trained {self.trained:g}: painted at {self.painted_px} px "
            f"and reduced {1 / zoom:.2g} times"
        )


def paint_per_side(
    model: StyleModel,
    photo_B3HW: Tensor,
    per_side: float,
    *,
    style: Style = None,
    strict: bool = False,
    name: str = "photo",
) -> Tensor:
    """Painting (B, 3, H, W) with strokes `per_side` times as large beside its short side as beside the painting's own.

    Says, by the photo's `name`, where it had to be painted at another size; UserError if `strict`.
    """
    check_photo(photo_B3HW)
    height, width = photo_B3HW.shape[-2:]
    size = sizing(model, (height, width), per_side, strict=strict, name=name)
    if size.painted_px == size.short_px:
        return model(photo_B3HW, size.stroke, style=style)
    log.info("%s: %s", name, size)
    painted = model(images.resize_short_side(photo_B3HW, size.painted_px), size.stroke, style=style)
    if size.painted_px > size.short_px:
        return images.resize(painted, height, width)
    return enlarge(painted, height, width, repaint=lambda coarse: model(coarse, size.stroke, style=style))


def sizing(
    model: StyleModel, photo_size: tuple[int, int], per_side: float, *, strict: bool = False, name: str = "photo"
) -> Sizing:
    """At which short side a photo of (height, width) is painted, and with which s. Models of one stroke have that."""
    low, high = model.stroke_range if model.stroke_mode == "conditioned" else (model.default_stroke,) * 2
    most = high * model.reference_px / SMALLEST_PX
    if not (math.isfinite(per_side) and 0 < per_side <= most):
        raise UserError(f"--stroke-per-side must be above 0 and at most {most:.3g} with this model, got {per_side:g}")
    short_px, per_px = min(photo_size), per_side / model.reference_px
    wanted = per_px * short_px
    trained = min(max(wanted, low), high)
    if math.isclose(wanted, trained, rel_tol=1e-4):
        return Sizing(wanted, trained, trained, short_px, short_px)
    if strict:
        raise UserError(
            f"{name}: --stroke-per-side {per_side:g} asks for a stroke of {wanted:.3g} at {photo_size[1]} x "
            f"{photo_size[0]} px, outside the trained range {low:g} to {high:g}"
        )
    fitting = trained / per_px
    # Rounded so that s stays inside the range; models of one stroke are a px off at most.
    painted_px = math.floor(fitting + 1e-6) if wanted > high else math.ceil(fitting - 1e-6)
    _check_memory(photo_size, painted_px, per_side, name=name)
    return Sizing(wanted, trained, min(max(per_px * painted_px, low), high), short_px, painted_px)


def enlarge(painted_B3hw: Tensor, height: int, width: int, *, repaint: Callable[[Tensor], Tensor]) -> Tensor:
    """A painting enlarged, with the detail that enlarging leaves out.

    `repaint`, the network, finds edges and bristles in what is blurred. Of its picture only what is finer than the
    enlarged one could hold is taken, and no more than fits to its contrast; so, reduced, it is the same painting. In
    steps of two at most: with more, whole strokes would be finer than what the step before could hold.
    """
    h, w = painted_B3hw.shape[-2:]
    for size in steps_between((h, w), (height, width)):
        painted_B3hw = _with_detail(painted_B3hw, size, repaint)
    return painted_B3hw


def steps_between(small: tuple[int, int], large: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes on the way from one to the other, the last included."""
    (h, w), (height, width) = small, large
    steps = math.ceil(math.log2(height / h) - 1e-6)
    shares = [step / steps for step in range(1, steps + 1)]
    return [(round(h * (height / h) ** share), round(w * (width / w) ** share)) for share in shares]


def _with_detail(coarse_B3hw: Tensor, size: tuple[int, int], repaint: Callable[[Tensor], Tensor]) -> Tensor:
    blurred_B3HW = _smooth(coarse_B3hw, size).clamp_(0, 1)
    detail_B3HW = _finer(repaint(blurred_B3HW), _size(coarse_B3hw))
    finest = _finer(coarse_B3hw, tuple(math.ceil(side / 2) for side in coarse_B3hw.shape[-2:]))
    fitting = fitting_share(size[0] / coarse_B3hw.shape[-2]) * _contrast(finest, _size(coarse_B3hw))
    gain_B1hw = (fitting / (_contrast(detail_B3HW, _size(coarse_B3hw)) + SOME)).clamp(max=1)
    gain_B1HW = F.interpolate(gain_B1hw, size, mode="bilinear", align_corners=False)
    return blurred_B3HW.addcmul_(detail_B3HW, gain_B1HW).clamp_(0, 1)


def fitting_share(zoom: float) -> float:
    """Contrast of the detail that enlarging by `zoom` leaves out, beside that of the octave below."""
    return DETAIL * math.sqrt(math.log2(zoom))


def _finer(picture_B3HW: Tensor, size: tuple[int, ...]) -> Tensor:
    """What is lost when the picture is reduced to `size`."""
    reduced = images.resize(picture_B3HW, *size)
    return picture_B3HW - _smooth(reduced, _size(picture_B3HW))


def _contrast(detail_B3HW: Tensor, size: tuple[int, int]) -> Tensor:
    """Root mean square around each point of a picture of `size`. Returns (B, 1, h, w)."""
    energy_B1hw = F.interpolate(
        detail_B3HW.square().mean(dim=1, keepdim=True), size, mode="bilinear", antialias=True, align_corners=False
    )
    near = F.pad(energy_B1hw, (NEAR_PX,) * 4, mode="replicate")
    return F.avg_pool2d(near, 2 * NEAR_PX + 1, stride=1).sqrt()


def _smooth(picture_B3HW: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(picture_B3HW, size, mode="bicubic", antialias=True, align_corners=False)


def _size(picture_B3HW: Tensor) -> tuple[int, int]:
    return picture_B3HW.shape[-2], picture_B3HW.shape[-1]


def _check_memory(photo_size: tuple[int, int], painted_px: int, per_side: float, *, name: str) -> None:
    zoom = painted_px / min(photo_size)
    if zoom <= 1 or zoom**2 * photo_size[0] * photo_size[1] <= LARGEST_PIXELS:
        return
    least = math.ceil(1000 * per_side * zoom * math.sqrt(photo_size[0] * photo_size[1] / LARGEST_PIXELS)) / 1000
    raise UserError(
        f"{name}: --stroke-per-side {per_side:g} needs {photo_size[1]} x {photo_size[0]} px painted {zoom:.2g} times "
        f"as large, more than {LARGEST_PIXELS // 1_000_000} megapixels; at least {least:g} is possible"
    )
