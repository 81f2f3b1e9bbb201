"""What `brushnet evaluate` was asked for, and what it names, each checked as it is opened."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brushnet import images, samples
from brushnet.baselines.request import LOSSNETS
from brushnet.errors import ImageError, UserError
from brushnet.inference.plan import SHEET_NAME
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork, load_lossnet
from brushnet.measure.lpips import Lpips, load_lpips
from brushnet.measure.meters import DEFAULT_ENCODER, encoder_name
from brushnet.model_meta import STROKE_LIMITS
from brushnet.models import StyleModel
from brushnet.report.figure import SUFFIXES
from brushnet.strokes import SMALLEST_CONTRAST, SMALLEST_STYLE_PX, Painting

log = logging.getLogger(__name__)

REFERENCE_PX = 256
SIZE_LIMITS_PX = (64, 4096)
DEFAULT_SIZES_PX = (512,)
MOST_ENLARGED = 4  # times that the painting's file is, for S_s: beyond, its strokes are all blur
STEM = "control"
PLOTS = tuple(suffix[1:] for suffix in SUFFIXES)


@dataclass(frozen=True)
class Request:
    """The command line as typed; None where an option was not given and what it means depends on something else."""

    style: str
    model: str | None = None
    style_name: str | None = None  # the painting, as the model calls it; its file's name
    content: str | None = None
    pictures: tuple[str, ...] = ()  # DIR or NAME=DIR
    out: Path | None = None  # control-NAME
    scales: tuple[float, ...] | None = None  # the model's trained range
    sizes: tuple[int, ...] | None = None
    photos: int = 10
    encoders: tuple[str, ...] = (DEFAULT_ENCODER,)
    lossnet: str = "compact"
    lpips: str | None = None
    squeezenet: str | None = None
    reference_px: int | None = None  # the model's, or 256
    plots: tuple[str, ...] = ("png",)
    device: str = "auto"
    force: bool = False


def check(request: Request) -> None:
    """What can be refused without opening anything."""
    if request.model is None and not request.pictures:
        raise UserError("nothing to evaluate: give a MODEL, or pictures of another system with --pictures DIR")
    if request.model is not None and request.content is None:
        raise UserError("--content DIR is needed: the photos that MODEL is to paint")
    for option, value in {"--scales": request.scales, "--sizes": request.sizes}.items():
        if value is not None and request.model is None:
            raise UserError(f"{option} belongs to a MODEL; pictures have the scales and sizes that they were made with")
    if request.style_name is not None and request.model is None:
        raise UserError(f"--style-name {request.style_name} belongs to a MODEL; pictures have no paintings to choose")
    smallest, largest = STROKE_LIMITS
    for scale in request.scales or ():
        if not smallest <= scale <= largest:
            raise UserError(f"--scales must be from {smallest:g} to {largest:g} with commas between, got {scale:g}")
    low, high = SIZE_LIMITS_PX
    for size in request.sizes or ():
        if not low <= size <= high:
            raise UserError(f"--sizes must be from {low} to {high} px with commas between, got {size}")
    for plot in request.plots:
        if plot not in PLOTS:
            raise UserError(f"--plots must be of {', '.join(PLOTS)} with commas between, got {plot}")
    if (request.lpips is None) != (request.squeezenet is None):
        raise UserError("--lpips HEAD and --squeezenet BACKBONE belong together: give both files, or neither")
    if request.lossnet not in LOSSNETS and not Path(request.lossnet).is_file():
        raise UserError(f"--lossnet must be one of {', '.join(LOSSNETS)}, or a weight file, got {request.lossnet}")
    encoders = [encoder_name(source) for source in request.encoders]
    for name in encoders:
        if encoders.count(name) > 1:
            raise UserError(f"--encoder {name} is given twice; figures are told apart by the encoder's name")


def check_folder(out: Path) -> None:
    """UserError where `-o` is a file, or is called like one of those that are written."""
    called_a_file = out.suffix.lower() in (*images.SUFFIXES, *SUFFIXES, ".json", ".csv")
    if called_a_file or (out.exists() and not out.is_dir()):
        raise UserError(f"-o {out}: several files are written; give a folder")


def open_painting(request: Request, model: StyleModel | None) -> Painting:
    path = samples.resolve(request.style)
    try:
        pixels = images.read_uint8(path)
    except (ImageError, UserError) as error:
        raise UserError(f"--style {path} cannot be read: {error}") from error
    painting = Painting(pixels, name=path.stem, reference_px=_reference_px(request, model))
    if painting.pixels.float().std(dim=(1, 2)).max() < SMALLEST_CONTRAST:
        raise UserError(f"--style {path} is all of one colour; a painting with brushstrokes is needed")
    return painting


def model_style(request: Request, model: StyleModel, painting: Painting, *, name: str) -> int:
    """Index of the painting among the model's: by `--style-name`, by its file's name, or the only one there is."""
    if request.style_name is not None or len(model.style_names) > 1:
        option = f"--style-name {request.style_name}" if request.style_name is not None else f"--style {request.style}"
        hint = "" if request.style_name is not None else "; --style-name NAME says which one a file of another name is"
        try:
            return model.style_index(painting.name if request.style_name is None else request.style_name)
        except UserError as error:
            raise UserError(f"{option}: {error}{hint}") from error
    if painting.name != model.style_names[0]:
        log.warning(
            "--style %s is not what %s learned (%s) by its name: strokes are measured against another painting, unless "
            "--style-name %s says that it is the same",
            request.style,
            name,
            model.style_names[0],
            model.style_names[0],
        )
    return 0


def check_scales(scales: Sequence[float], painting: Painting, *, option: str = "--scales") -> None:
    """UserError for scales that leave nothing of the painting or only a blur of it; says where they enlarge it."""
    largest = MOST_ENLARGED * painting.largest_scale
    for scale in scales:
        if scale * painting.reference_px < SMALLEST_STYLE_PX:
            raise UserError(
                f"{option} {scale:g} shrinks the painting to {scale * painting.reference_px:.0f} px; at least "
                f"{SMALLEST_STYLE_PX} px are needed: {SMALLEST_STYLE_PX / painting.reference_px:g} or more"
            )
        if scale > largest * 1.01:
            raise UserError(
                f"{option} {scale:g} enlarges {painting.name}, {painting.short_px} px on its short side, "
                f"{scale / painting.largest_scale:.1f} times; at most {MOST_ENLARGED} times is allowed: {largest:.3g} "
                "or less"
            )
    if max(scales) > painting.largest_scale * 1.01:
        log.warning(
            "%s is %d px on its short side: it has no strokes of scales above %.2f, and none is measured above",
            painting.name,
            painting.short_px,
            painting.largest_scale,
        )


def open_lossnet(name: str, spec: LossSpec) -> LossNetwork:
    """By name or from a file (see `check`). UserError where it has not the layers that training compares."""
    weights, arch = LOSSNETS.get(name, (name, "vgg19"))
    lossnet = load_lossnet(weights, arch=arch)
    lossnet.require(spec.layers, option="--lossnet")
    return lossnet.truncate(spec.layers)


def open_lpips(request: Request) -> Lpips | None:
    if request.lpips is None or request.squeezenet is None:
        return None
    return load_lpips(request.lpips, request.squeezenet)


def outputs(request: Request, out: Path) -> dict[str, Path]:
    """What is written where: `json`, `csv`, `sheet` and each of the plots."""
    files = {suffix: out / f"{STEM}.{suffix}" for suffix in ("json", "csv", *request.plots)}
    return {**files, "sheet": out / SHEET_NAME}


def _reference_px(request: Request, model: StyleModel | None) -> int:
    if model is None:
        return request.reference_px or REFERENCE_PX
    if request.reference_px not in (None, model.reference_px):
        raise UserError(
            f"--reference-px must be {model.reference_px}, which {request.model} was trained with, or be left out, "
            f"got {request.reference_px}"
        )
    return model.reference_px
