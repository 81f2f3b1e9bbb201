"""The demo page as files by their address: the page itself, the engine, models, sample photos. All in memory."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from brushnet import __version__, images, samples
from brushnet.models import StyleModel
from brushnet.web.browser_model import browser_model

Site = dict[str, bytes]  # by address relative to the page

INDEX = "index.html"
MODELS = "models.json"  # what the page is told
THUMB_PX = 256
THUMB_PHOTO = "cat"
MOST_THUMBS = 48  # of a model with thousands of paintings
# Those that make good pictures; the others (brick, grass, a retina) teach.
PHOTOS = {
    "temple": "danielbuechele, CC BY 2.0",
    "cat": "Stefan van der Walt, CC0",
    "coffee": "Rachel Michetti, CC0",
    "astronaut": "NASA, public domain",
    "flower": "vultilion, CC BY 2.0",
    "raccoon": "public-domain-image.com, public domain",
    "rocket": "SpaceX, public domain",
    "galaxies": "NASA, public domain",
}
# Of the page and its worker, whoever serves them. WebAssembly is compiled; blob: are the worker and downloads.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def build_site(models: Mapping[str, StyleModel], *, say: Callable[[str], None] = lambda text: None) -> Site:
    """Page, engine, photos, and each model by its name, exported. `say` is told what is done, a line each."""
    site = {INDEX: _text("page/index.html").replace("@POLICY@", POLICY).encode()}
    for folder in ("page", "vendor"):
        prefix = "vendor/" if folder == "vendor" else ""
        for file in _folder(folder).iterdir():
            if file.is_file() and file.name != INDEX:
                site[prefix + file.name] = file.read_bytes()
    for name in PHOTOS:
        site[_photo(name)] = (samples.samples_dir() / "photos" / f"{name}.jpg").read_bytes()
    entries = []
    for name, model in models.items():
        say(f"exporting {name} for the browser")
        entries.append(_add_model(site, name, model))
    photos = [{"name": name, "file": _photo(name), "credit": credit} for name, credit in PHOTOS.items()]
    sizes = {path: len(data) for path, data in site.items() if path.endswith(".wasm.gz")}
    content = {"version": __version__, "models": entries, "photos": photos, "sizes": sizes}
    site[MODELS] = json.dumps(content, ensure_ascii=False).encode()
    return site


def _add_model(site: Site, name: str, model: StyleModel) -> dict[str, object]:
    exported = browser_model(model)
    number = sum(path.endswith(".wasm.onnx") for path in site)  # names may hold what addresses must not
    files = {f"models/{number}.{kind}.onnx": getattr(exported, kind) for kind in ("wasm", "webgpu")}
    site |= files
    low, high = model.stroke_range if model.stroke_mode == "conditioned" else (model.default_stroke,) * 2
    return {
        "name": name,
        "title": _title(name),
        "files": dict(zip(("wasm", "webgpu"), files, strict=True)),
        "bytes": len(exported.wasm),
        "check": exported.check,
        "min": low,
        "max": high,
        "stroke": model.default_stroke,
        "reference": model.reference_px,
        "styles": _add_styles(site, number, model),
    }


def _add_styles(site: Site, number: int, model: StyleModel) -> Sequence[dict[str, object]]:
    photo = images.read(samples.samples_dir() / "photos" / f"{THUMB_PHOTO}.jpg")
    photo_13HW = images.resize_short_side(photo, round(THUMB_PX * 3 / 4))
    styles: list[dict[str, object]] = []
    for index, style in enumerate(model.style_names):
        entry: dict[str, object] = {"name": style, "title": _title(style)}
        if index < MOST_THUMBS:
            painted = images.to_uint8(model(photo_13HW, style=index))[0].cpu()
            entry["thumb"] = f"models/{number}-{index}.jpg"
            site[f"models/{number}-{index}.jpg"] = images.encode_jpeg(painted, quality=85)
        styles.append(entry)
    return styles


def _title(name: str) -> str:
    """A file's name for people: `the-scream` is "The scream"."""
    words = name.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else name


def _photo(name: str) -> str:
    return f"photos/{name}.jpg"


def _folder(name: str) -> Traversable:
    return files("brushnet.web") / name


def _text(path: str) -> str:
    return (files("brushnet.web") / path).read_text(encoding="utf-8")
