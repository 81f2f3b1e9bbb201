"""`brushnet export`: from a model to a checked file. Imports nothing heavy by itself."""

import importlib.util
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brushnet.errors import BrushnetError, UserError
from brushnet.export.about import about, check_licence, licence_in, licence_of
from brushnet.files import write_whole

if TYPE_CHECKING:  # torch, seconds
    from brushnet.export.check import Differences
    from brushnet.models import StyleModel

SUFFIXES = (".onnx", ".pt2", ".safetensors")
PACKAGES = ("onnx", "onnxruntime")  # the extra that .onnx needs
# Largest differences from the network in grey levels of 255. No int8: what was 1.5 times as fast was off by over 100,
# and weights alone in 8 bits were off by 4 and no faster (static quantization over photos and strokes; a `slim` model).
LIMITS = {"float32": 0.5, "float16": 2.0}


@dataclass(frozen=True)
class Exported:
    """`largest_difference` and `mean_difference` from the network are in grey levels of 255."""

    file: str
    format: str
    precision: str
    bytes: int
    paintings_compared: int
    largest_difference: float
    mean_difference: float

    def line(self) -> str:
        return (
            f"{self.file}: {self.bytes / 1e6:.1f} MB, {self.precision}; {self.paintings_compared} paintings compared "
            f"with the network's: at most {self.largest_difference:.2g}/255 apart"
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def export(
    model: "StyleModel | str | Path",
    out: str | Path,
    *,
    precision: str = "float32",
    licence: str | None = None,
    force: bool = False,
) -> Exported:
    """Write a model for other programs: ONNX, torch.export or safetensors by the suffix of `out`.

    It is written when it has painted what the network paints (BrushnetError otherwise), whole or not at all. A wrong
    request is a UserError before anything is computed. `licence` is a note that is put into the file.
    """
    path = Path(out)
    check_request(path, precision=precision, licence=licence, force=force)
    from brushnet.model_location import locate
    from brushnet.models import StyleModel

    loaded = _loaded(model, path)
    if licence is None and not isinstance(model, StyleModel):
        licence = licence_in(locate(model))
    data, found = _checked(loaded, path.suffix.lower(), precision, licence)
    _write(path, data)
    return Exported(
        file=str(path),
        format=path.suffix.lower().removeprefix("."),
        precision=precision,
        bytes=len(data),
        paintings_compared=found.paintings,
        largest_difference=found.largest,
        mean_difference=found.mean,
    )


def check_request(path: Path, *, precision: str, licence: str | None, force: bool) -> None:
    """UserError for what cannot be asked for, or cannot be written where it is asked for."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"-o {path}: the suffix must be one of {', '.join(SUFFIXES)}, got {path.suffix or 'none'}")
    if precision not in LIMITS:
        raise UserError(f"--precision must be one of {', '.join(LIMITS)}, got {precision}")
    if precision != "float32" and suffix != ".onnx":
        raise UserError(f"--precision {precision} is for .onnx only, a {suffix} holds float32")
    if licence is not None:
        check_licence(licence)
    _check_output(path, force=force)
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None] if suffix == ".onnx" else []
    if missing:
        raise UserError(f"an .onnx needs {' and '.join(missing)}: pip install 'brushnet[export]'")


def _check_output(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise UserError(f"-o {path}: a folder; give a file")
    if os.path.exists(path) and not force:
        raise UserError(f"-o {path} would be overwritten; pass --force to allow it, or choose another")
    folder = next(each for each in path.absolute().parents if each.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"-o {path} cannot be written: {error.strerror}") from error


def _loaded(model: "StyleModel | str | Path", out: Path) -> "StyleModel":
    from brushnet.model_location import locate
    from brushnet.models import StyleModel, load

    if isinstance(model, StyleModel):
        return _on_cpu(model)
    source = locate(model)
    if os.path.realpath(source) == os.path.realpath(out):
        raise UserError(f"-o {out} is the model itself; choose another")
    return load(source, device="cpu")


def _on_cpu(model: "StyleModel") -> "StyleModel":
    """A copy, not compiled."""
    from brushnet.models import StyleModel

    net = model.meta.blank_net()
    weights = {name: value.detach().float().cpu().clone() for name, value in model.net.state_dict().items()}
    net.load_state_dict(weights, assign=True)
    return StyleModel(net.eval().requires_grad_(False), model.meta)


def _checked(model: "StyleModel", suffix: str, precision: str, licence: str | None) -> tuple[bytes, "Differences"]:
    """The file's content, and how far what it paints is from what the network paints."""
    from brushnet.export.check import compare

    texts = about(model.meta, licence_of(model.meta, licence))
    match suffix:
        case ".onnx":
            from brushnet.export import onnx_file

            data = onnx_file.onnx_bytes(model, texts, half=precision == "float16")
            paint = onnx_file.painter(data)
        case ".pt2":
            from brushnet.export import pt2_file

            data = pt2_file.pt2_bytes(model, texts)
            paint = pt2_file.painter(data)
        case _:
            from brushnet.export import own_file

            data = own_file.own_bytes(model, texts)
            paint = own_file.painter(data)
    found = compare(model, paint)
    found.check(LIMITS[precision])
    return data, found


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise BrushnetError(f"cannot write {path}: {error.strerror or error}") from error
