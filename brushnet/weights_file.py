"""State dicts of other programs' networks, .safetensors or torch.save's (.pth), as the untrusted files they are."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from brushnet import torch_file
from brushnet.torch_file import DAMAGED, UnreadableError

MOST_TENSORS = 10_000  # VGG-19 has 38; each takes a kilobyte, however few bytes of the file it has


def read_weights(path: Path) -> dict[str, Tensor]:
    """Finite, contiguous, in memory of their own; float32 where the file has other floats. Else UnreadableError."""
    state = _read_safetensors(path) if path.suffix == ".safetensors" else torch_file.load(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UnreadableError("it holds no state dict of tensors")
    for key, value in state.items():
        if not _float(value).isfinite().all():
            raise UnreadableError(f"{str(key)[:60]!r} is not finite")
    return {str(key): _float(value).clone(memory_format=torch.contiguous_format) for key, value in state.items()}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            keys = file.keys()
            if len(keys) > MOST_TENSORS:
                raise UnreadableError(f"it holds {len(keys)} tensors, at most {MOST_TENSORS} are read")
            return {key: file.get_tensor(key) for key in keys}
    except OSError as error:
        raise UnreadableError(error.strerror or DAMAGED) from error
    except (SafetensorError, RuntimeError, ValueError, TypeError, OverflowError) as error:  # shapes that torch refuses
        raise UnreadableError(DAMAGED) from error


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value  # halves are stored, not computed with
