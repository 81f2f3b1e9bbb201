"""`brushnet export`: from a model to a checked file. Imports nothing heavy by itself."""

import importlib.util
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brushnet.errors import BrushnetError, UserError

if TYPE_CHECKING:  # torch, seconds
    from brushnet.export.check import Differences
    from brushnet.models import StyleModel

SUFFIXES = (".onnx", ".safetensors")
PACKAGES = ("onnx", "onnxruntime")


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
    model: "StyleModel | str | Path", out: str | Path, *, licence: str | None = None, force: bool = False
) -> Exported:
    """Write a model for other programs: ONNX or safetensors by the suffix of `out`.

    It is written when it has painted what the network paints (BrushnetError otherwise), whole or not at all. A wrong
    request is a UserError before anything is computed.
    """
    path = Path(out)
    check_output(path, force=force)
    from brushnet.export.about import about, check_licence, licence_of
    from brushnet.files import write_whole

    if licence is not None:
        check_licence(licence)
    loaded = _loaded(model, path)
    texts = about(loaded.meta, licence_of(loaded.meta, licence))
    data, found = _FORMATS[path.suffix.lower()](loaded, texts)
    try:
        write_whole(path, data)
    except OSError as error:
        raise BrushnetError(f"cannot write {path}: {error.strerror or error}") from error
    return Exported(
        file=str(path),
        format=path.suffix.lower().removeprefix("."),
        precision="float32",
        bytes=len(data),
        paintings_compared=found.paintings,
        largest_difference=found.largest,
        mean_difference=found.mean,
    )


def check_output(path: Path, *, force: bool) -> None:
    """UserError where this file cannot be, or without `force` must not be, written."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"-o {path}: the suffix must be one of {', '.join(SUFFIXES)}, got {path.suffix or 'none'}")
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
        return model
    source = locate(model)
    if os.path.realpath(source) == os.path.realpath(out):
        raise UserError(f"-o {out} is the model itself; choose another")
    return load(source, device="cpu")


def _onnx(model: "StyleModel", texts: dict[str, str]) -> tuple[bytes, "Differences"]:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be installed to write .onnx: pip install 'brushnet[export]'")
    from brushnet.export.check import Limit, compare
    from brushnet.export.onnx_file import onnx_bytes, painter

    data = onnx_bytes(model, texts)
    found = compare(model, painter(data))
    found.check(Limit(largest=0.5))
    return data, found


def _safetensors(model: "StyleModel", texts: dict[str, str]) -> tuple[bytes, "Differences"]:
    from brushnet.export.check import Limit, compare
    from brushnet.export.own_file import own_bytes, painter

    data = own_bytes(model, texts)
    found = compare(model, painter(data))
    found.check(Limit(largest=0.5))
    return data, found


_FORMATS = {".onnx": _onnx, ".safetensors": _safetensors}
