"""`brushnet probe --claims`: every claim tested, written as JSON, as a Markdown table and as one figure."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from brushnet import images, samples
from brushnet.errors import ImageError, UserError
from brushnet.inference.plan import check_outputs
from brushnet.losses import LossSpec
from brushnet.measure.control import some_photos
from brushnet.measure.probe_pictures import open_paintings
from brushnet.models import StyleModel
from brushnet.probing import claim_detail, claim_layers, claim_models, layers
from brushnet.probing.claim import Claim
from brushnet.probing.claim_detail import Detail
from brushnet.probing.claim_models import ModelFigures
from brushnet.probing.model_figures import model_figures, open_models
from brushnet.probing.networks import label
from brushnet.report.claims_plot import claims_figure
from brushnet.report.figure import write_figure
from brushnet.report.probe_plot import Panel, probe_figure
from brushnet.report.probe_table import probe_csv, probe_json
from brushnet.strokes import Painting

PHOTOS = ("sample:photos/cat", "sample:photos/temple", "sample:photos/astronaut")  # the first two for claim d
DETAIL_PX, MODEL_PX = 144, 192  # sides of the photos, cut square
DETAIL_PHOTOS = 2
FILES = (
    "claims.json", "claims.md", "claims.png", "claims.pdf", "claim-d.jpg",
    "probe.json", "probe.csv", "probe.png", "probe.pdf",
)  # fmt: skip

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ClaimsRequest:
    """The probe's own request, without paintings to probe; `style` is the painting of claims b and d."""

    probe: layers.Request
    spec: LossSpec
    style: str
    models: Sequence[str]
    content: str | None = None
    iterations: int = claim_detail.ITERATIONS


@dataclass(frozen=True)
class _Scene:
    probe: layers.Scene
    painting: Painting
    models: dict[str, StyleModel]
    photos: list[Tensor]


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdicts follow from, and the pictures of claim d: untold, then told, photo by photo."""

    panels: list[Panel]
    detail: Detail
    models: list[ModelFigures]
    pictures: list[list[Tensor]]


def run(request: ClaimsRequest, *, progress: Progress | None = None) -> tuple[list[str], dict[str, Any]]:
    """Lines for people, and what claims.json holds. A wrong request is a UserError before anything is written."""
    scene = _open(request)
    out = request.probe.out
    places = {name: out / name for name in FILES}
    inputs = [Path(name) for name in (request.style, *request.models, *request.probe.lossnets)]
    check_outputs(list(places.values()), out, inputs=inputs, force=request.probe.force)
    evidence = _measure(request, scene, progress)
    claims = judge_claims(evidence.panels, evidence.detail, evidence.models)
    told = _json(claims, request, scene)
    _write(claims, evidence, scene.painting, told, places)
    lines = [f"{claim.name}: {claim.verdict}. {claim.statement}. {claim.found}" for claim in claims]
    return [*lines, f"written: {', '.join(map(str, places.values()))}"], told


def judge_claims(panels: Sequence[Panel], detail: Detail, models: Sequence[ModelFigures]) -> list[Claim]:
    return [
        claim_layers.large_strokes_in_shallow_layers(panels),
        claim_models.transfer(models),
        claim_layers.deeper_networks_capture_fine_strokes(panels),
        claim_models.more_blocks(models),
        claim_detail.ignoring_scale(detail, claim_models.detail_of(models)),
    ]


def markdown(claims: Sequence[Claim]) -> str:
    """A table for a README, and below it how each was tested."""
    rows = [f"| {claim.name} | {claim.statement} | **{claim.verdict}** | {claim.found} |" for claim in claims]
    tests = [f"- **{claim.name}**: {claim.test}" for claim in claims]
    head = ["| | what is said | verdict | figures |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, "", "How each was tested:", "", *tests, ""])


def figure_of(claims: Sequence[Claim], evidence: Evidence) -> Figure:
    sights = {panel.network: claim_layers.fine_sight(panel.rows) for panel in evidence.panels}
    sources = claim_detail.sources(evidence.detail, claim_models.detail_of(evidence.models))
    centres = {panel.network: claim_layers.seen_fields(panel.rows, "0") for panel in evidence.panels}
    return claims_figure(
        {claim.name: claim.verdict for claim in claims},
        centres=centres,
        sights=sights,
        losses={model.name: model.as_is for model in evidence.models},
        detail={name: (found.told, found.untold) for name, found in sources.items()},
    )


def _open(request: ClaimsRequest) -> _Scene:
    """Checked as far as it can be before anything is painted."""
    probe = layers.open_scene(request.probe)
    (painting,) = open_paintings([request.style], reference_px=request.probe.reference_px)
    if painting.largest_scale < max(claim_detail.SCALES):
        raise UserError(
            f"--style {request.style} is {painting.short_px} px on its short side; the claims are tested up to stroke "
            f"scale {max(claim_detail.SCALES):g}, for which {max(claim_detail.SCALES) * painting.reference_px:.0f} px "
            "are needed"
        )
    probe.networks[0].require(request.spec.layers, option="--lossnet")
    return _Scene(probe, painting, open_models(request.models, painting), _open_photos(request.content))


def _open_photos(folder: str | None) -> list[Tensor]:
    """Squares of MODEL_PX, cut from the middle."""
    paths = [samples.resolve(name) for name in PHOTOS]
    if folder is not None:
        paths = some_photos(samples.resolve(folder), len(PHOTOS))
    photos = []
    for path in paths:
        try:
            photo = images.read(path)
        except ImageError as error:
            raise UserError(f"--content {path} cannot be read: {error}") from error
        short = min(photo.shape[-2:])
        top, left = ((side - short) // 2 for side in photo.shape[-2:])
        photos.append(images.resize(photo[..., top : top + short, left : left + short], MODEL_PX, MODEL_PX))
    return photos


def _measure(request: ClaimsRequest, scene: _Scene, progress: Progress | None) -> Evidence:
    subjects = layers.show_subjects(request.probe, scene.probe, progress=progress)
    panels = layers.probe_networks(request.probe, scene.probe, subjects, progress=progress)
    judge = scene.probe.networks[0]  # the first one named: it is what pictures are optimised for and models judged by
    spec = replace(request.spec, style_weight=claim_detail.STYLE_WEIGHT)
    detail, pictures = claim_detail.measure_detail(
        [images.resize(photo, DETAIL_PX, DETAIL_PX) for photo in scene.photos[:DETAIL_PHOTOS]],
        scene.painting,
        lossnet=judge,
        spec=spec,
        seed=request.probe.seed,
        iterations=request.iterations,
        progress=progress,
    )
    models = model_figures(scene.models, scene.photos, scene.painting, lossnet=judge, spec=spec, progress=progress)
    return Evidence(panels, detail, models, pictures)


def _write(
    claims: Sequence[Claim], evidence: Evidence, painting: Painting, told: Mapping[str, Any], places: Mapping[str, Path]
) -> None:
    texts = {
        "claims.json": json.dumps(told, indent=2) + "\n",
        "claims.md": markdown(claims),
        "probe.json": json.dumps(probe_json(evidence.panels, told["settings"]), indent=2) + "\n",
        "probe.csv": probe_csv(evidence.panels),
    }
    for name, text in texts.items():
        places[name].write_text(text, encoding="utf-8")
    for suffix in ("png", "pdf"):
        write_figure(probe_figure(evidence.panels), places[f"probe.{suffix}"])
        write_figure(figure_of(claims, evidence), places[f"claims.{suffix}"])
    scales = [f"told s = {scale:g}" for scale in claim_detail.SCALES]
    style = [painting.render(scale)[..., :DETAIL_PX, :DETAIL_PX] for scale in claim_detail.SCALES]
    rows: list[list[Tensor | None]] = [[*row] for row in evidence.pictures]
    rows.append([None, *style])
    images.write(images.sheet(rows, column_labels=["untold", *scales]), places["claim-d.jpg"])


def _json(claims: Sequence[Claim], request: ClaimsRequest, scene: _Scene) -> dict[str, Any]:
    """What the figures depend on, and the claims; NaN is null."""
    settings = {
        "lossnets": [label(network) for network in scene.probe.networks],
        "judge": scene.probe.networks[0].name,
        "style": request.style,
        "models": list(request.models),
        "widths_px": list(scene.probe.scales),
        "draws": request.probe.draws,
        "size_px": request.probe.size_px,
        "seed": request.probe.seed,
        "iterations": request.iterations,
        "loss_layers": list(request.spec.style_layers),
        "pyramid_levels": request.spec.pyramid_levels,
        "mean_weight": request.spec.mean_weight,
    }
    plain = json.loads(json.dumps([asdict(claim) for claim in claims]), parse_constant=lambda _: None)
    return {"settings": settings, "claims": plain}
