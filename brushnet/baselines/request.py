"""What `brushnet baseline` was asked for, and the pictures and networks that it names, each checked as it is opened."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from brushnet import images, samples
from brushnet.baselines.pyramid import SMALLEST_PX
from brushnet.errors import ImageError, UserError
from brushnet.lossnet import LossNetwork, load_lossnet
from brushnet.models import StyleModel
from brushnet.strokes import SMALLEST_CONTRAST, SMALLEST_STYLE_PX, Painting

log = logging.getLogger(__name__)

REFERENCE_PX = 256
SCALES = (1.0, 2.0, 4.0)
LOSSNETS = {  # name -> weights, architecture
    "auto": ("auto", "vgg19"),
    "compact": ("compact", "vgg19"),
    "torchvision": ("torchvision", "vgg19"),
    "vgg19": ("torchvision", "vgg19"),
    "vgg16": ("torchvision", "vgg16"),
}


@dataclass(frozen=True)
class Request:
    """The command line as typed; None where an option was not given and what it means depends on something else."""

    method: str  # moments, pyramid, features or all
    content: str
    style: str
    out: Path
    size_px: int = 256
    reference_px: int | None = None  # the model's, or 256
    stroke: float | None = None  # the model's own, or 1
    scales: Mapping[float, float] | None = None  # scale -> weight; SCALES as far as the photo is large enough
    iterations: int | None = None
    lossnet: str = "auto"
    model: str | None = None
    seed: int = 0
    device: str = "auto"
    force: bool = False


def open_photo(request: Request) -> Tensor:
    """Float (1, 3, H, W), shrunk to a short side of `size_px`, never enlarged."""
    photo = _read("CONTENT", samples.resolve(request.content))
    height, width = photo.shape[-2:]
    short_px = min(height, width, request.size_px)
    if short_px < SMALLEST_PX:
        where = f"--size {short_px}" if short_px == request.size_px else f"CONTENT is {width} x {height} px"
        raise UserError(f"{where}: at least {SMALLEST_PX} px on the short side are needed")
    return images.to_float(images.resize_short_side(photo, short_px))[None]


def open_painting(request: Request, *, stroke: float, reference_px: int) -> Painting:
    """Says so where the stroke scale enlarges the file."""
    path = samples.resolve(request.style)
    painting = Painting(_read("STYLE", path), name=path.stem, reference_px=reference_px)
    if painting.pixels.float().std(dim=(1, 2)).max() < SMALLEST_CONTRAST:
        raise UserError(f"STYLE {path} is all of one colour; a painting with brushstrokes is needed")
    if min(stroke, 1.0) * reference_px < SMALLEST_STYLE_PX:
        raise UserError(
            f"--stroke {stroke:g} shrinks the painting to {min(stroke, 1.0) * reference_px:.0f} px; "
            f"--stroke times --reference-px must be at least {SMALLEST_STYLE_PX}"
        )
    if stroke > painting.largest_scale * 1.01:
        log.warning(
            "%s is %d px on its short side; stroke scales above %.2f enlarge it and blur its strokes",
            path,
            painting.short_px,
            painting.largest_scale,
        )
    return painting


def open_lossnet(name: str, *, layers: Sequence[str], content_layers: Sequence[str]) -> LossNetwork:
    """By name or from a file; no deeper than the deepest of these layers."""
    if name not in LOSSNETS and not Path(name).is_file():
        raise UserError(f"--lossnet must be one of {', '.join(LOSSNETS)}, or a weight file, got {name}")
    weights, arch = LOSSNETS.get(name, (name, "vgg19"))
    lossnet = load_lossnet(weights, arch=arch)
    lossnet.require(layers, option="--layers")
    lossnet.require(content_layers, option="--content-layer")
    return lossnet.truncate([*layers, *content_layers])


def stroke_and_reference(request: Request, model: StyleModel | None) -> tuple[float, int]:
    """Stroke scale, and the short side of the painting at scale 1, which a model brings with it."""
    if model is None:
        return request.stroke or 1.0, request.reference_px or REFERENCE_PX
    if request.reference_px not in (None, model.reference_px):
        raise UserError(
            f"--reference-px must be {model.reference_px}, which {request.model} was trained with, or be left out, "
            f"got {request.reference_px}"
        )
    return float(model.fit_stroke(request.stroke)), model.reference_px


def model_style(model: StyleModel, painting: Painting) -> int:
    """The model's own style; of several the one that is named like the file. UserError lists their names."""
    return model.style_index(painting.name) if len(model.style_names) > 1 else 0


def fitting_scales(request: Request, photo_13HW: Tensor) -> dict[float, float]:
    """Scales by weight; of the default ones those for which the photo is large enough."""
    short_px = min(photo_13HW.shape[-2:])
    if request.scales is None:
        return {scale: 1.0 for scale in SCALES if short_px / scale >= SMALLEST_PX}
    for scale in request.scales:
        if short_px / scale < SMALLEST_PX:
            raise UserError(
                f"--scales {scale:g} shrinks the photo to {short_px / scale:.0f} px; at most "
                f"{short_px / SMALLEST_PX:g} fits a photo of {short_px} px (see --size)"
            )
    return dict(request.scales)


def _read(what: str, path: Path) -> Tensor:
    try:
        return images.read_uint8(path)
    except ImageError as error:
        raise UserError(f"{what} {path} cannot be read: {error}") from error
    except UserError as error:
        raise UserError(f"{what}: {error}") from error
