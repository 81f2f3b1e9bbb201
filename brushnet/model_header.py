"""The header of a model.safetensors: what the model says of itself, read without its weights and without torch.

As little trusted as the rest of the file: safetensors checks the layout, `ModelMeta` every field. Whether the weights
fit and are finite shows when they are read (`model_file`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from brushnet.errors import UserError
from brushnet.model_meta import KEY, ModelMeta

EXPECTED = "a brushnet model is a .safetensors file, a training checkpoint (.ckpt) or a run folder"


def read_meta(path: Path) -> ModelMeta:
    """Metadata of a model.safetensors. UserError says what is wrong with the file."""
    first_bytes(path, 1)
    with refusing(path, SafetensorError, OSError), safe_open(path, framework="np") as file:
        return meta_of(file, path)


def meta_of(file: Any, path: Path) -> ModelMeta:
    """Of a file that safetensors has opened."""
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise UserError(f"{path}: a safetensors file, but not of brushnet (no {KEY!r} metadata)")
    return ModelMeta.from_json(text, source=str(path))


def first_bytes(path: Path, count: int) -> bytes:
    """UserError where the file cannot be read at all."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


@contextmanager
def refusing(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """A reader's complaint in one line of ours."""
    try:
        yield
    except errors as error:
        cause = str(error).strip().split("\n")[0][:200]
        raise UserError(f"{path}: damaged, cut off or not a model ({cause}); {EXPECTED}") from error
