"""`brushnet baseline`: opens what was named, paints by one method or by all, writes pictures and figures."""

import json
import math
from pathlib import Path
from typing import Any

from brushnet import images, samples
from brushnet.baselines import comparison
from brushnet.baselines.comparison import Entry, Judge
from brushnet.baselines.painters import METHODS, Painters, Progress, Scene
from brushnet.baselines.request import (
    Request,
    fitting_scales,
    model_style,
    open_lossnet,
    open_painting,
    open_photo,
    stroke_and_reference,
)
from brushnet.devices import pick_device
from brushnet.inference.plan import SHEET_NAME, check_kind, check_outputs, is_picture
from brushnet.losses import LossSpec
from brushnet.models import load

REPORT_NAME = "baselines.json"


def run(request: Request, spec: LossSpec, *, progress: Progress | None = None) -> list[str]:
    """Lines for people: what was found and written. A wrong request is a UserError before anything is written."""
    scene = open_scene(request, spec)
    places = outputs(request, with_model=scene.model is not None)
    inputs = [samples.resolve(request.content), samples.resolve(request.style)]
    check_outputs(list(places.values()), request.out, inputs=inputs, force=request.force)
    judge = Judge(scene.photo, scene.painting, stroke=scene.stroke, lossnet=scene.lossnet, spec=scene.spec)
    entries = comparison.compare(scene.photo, Painters(scene, progress).chosen(), judge)
    for entry in entries:
        if entry.name in places:
            images.write(entry.picture.cpu(), places[entry.name])
    if "sheet" in places:
        _write_comparison(entries, scene, places)
    return [*comparison.lines(entries), f"written: {', '.join(map(str, places.values()))}"]


def open_scene(request: Request, spec: LossSpec) -> Scene:
    check_kind(request.out)
    device = pick_device(request.device)
    photo = open_photo(request)
    scales = fitting_scales(request, photo)
    model = load(request.model).to(device) if request.model else None
    stroke, reference_px = stroke_and_reference(request, model)
    painting = open_painting(request, stroke=stroke, reference_px=reference_px)
    if model:
        model_style(model, painting)
    lossnet = open_lossnet(
        request.lossnet, layers=list(spec.style_layers), content_layers=list(spec.content_layers)
    ).to(device)
    return Scene(request, photo.to(device), painting, stroke, scales, model, lossnet, spec)


def outputs(request: Request, *, with_model: bool) -> dict[str, Path]:
    """What is written where: `sheet`, `report` and pictures by method."""
    out = request.out
    if request.method != "all":
        return {request.method: out if is_picture(out) else out / f"{request.method}.png"}
    if is_picture(out):
        return {"sheet": out, "report": out.with_suffix(".json")}
    pictures = {name: out / f"{name}.png" for name in (*METHODS, *(["model"] if with_model else []))}
    return {**pictures, "sheet": out / SHEET_NAME, "report": out / REPORT_NAME}


def _write_comparison(entries: list[Entry], scene: Scene, places: dict[str, Path]) -> None:
    images.write(comparison.sheet(entries, scene.painting.render(scene.stroke)).cpu(), places["sheet"])
    places["report"].write_text(json.dumps(report(entries, scene), indent=2) + "\n", encoding="utf-8")


def report(entries: list[Entry], scene: Scene) -> dict[str, Any]:
    """Everything that the figures depend on, and the figures."""
    request, spec = scene.request, scene.spec
    height, width = scene.photo.shape[-2:]
    return {
        "content": request.content,
        "style": request.style,
        "model": request.model,
        "width_px": width,
        "height_px": height,
        "stroke": scene.stroke,
        "stroke_octaves": math.log2(scene.stroke),
        "reference_px": scene.painting.reference_px,
        "scales": [{"scale": scale, "weight": weight} for scale, weight in scene.scales.items()],
        "lossnet": scene.lossnet.name,
        "style_layers": [{"name": name, "weight": weight} for name, weight in spec.style_layers.items()],
        "content_layers": [{"name": name, "weight": weight} for name, weight in spec.content_layers.items()],
        "style_weight": spec.style_weight,
        "seed": request.seed,
        "device": str(scene.photo.device),
        "methods": comparison.figures(entries),
    }
