"""The files a style model lives in: model.safetensors, or a training checkpoint (.ckpt). Never trusted.

Nothing is unpickled beyond plain containers and tensors, and no weight is copied before its name and shape were found
to be those of the network that the metadata describes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from brushnet import torch_file
from brushnet.errors import BrushnetError, UserError
from brushnet.files import write_whole
from brushnet.model_formats import shapes_in, upgraded
from brushnet.model_header import EXPECTED, first_bytes, meta_of, refusing
from brushnet.model_meta import KEY, ModelMeta
from brushnet.nets import ResidualTransformer

EMA_PREFIX = "ema.module."  # the averaged weights in a training checkpoint: the ones that are shown and saved


def save(path: str | Path, net: nn.Module, meta: ModelMeta) -> None:
    """Write `net` as model.safetensors: float32, whole or not at all. BrushnetError where the disk cannot."""
    path = Path(path)
    try:
        # Not save_file: it makes files that only their owner can read, whatever the umask.
        write_whole(path, content_of(net, {KEY: meta.to_json()}))
    except (OSError, SafetensorError) as error:
        raise BrushnetError(f"cannot write {path}: {error}") from error


def content_of(net: nn.Module, metadata: dict[str, str]) -> bytes:
    """What a model.safetensors of this network holds; KEY must be among the metadata."""
    # safetensors refuses channels_last tensors, hence contiguous.
    weights = {key: value.detach().float().cpu().contiguous() for key, value in net.state_dict().items()}
    return to_bytes(weights, metadata=metadata)


def read(path: Path) -> tuple[ModelMeta, ResidualTransformer]:
    """Network (CPU, float32, evaluation mode) and metadata. What the file is, its content says, not its suffix."""
    start = first_bytes(path, 9)
    if start[:2] == b"PK":
        meta, weights = _read_checkpoint(path)
    elif start[:1] == b"\x80" and b"\x02" <= start[1:2] <= b"\x05" and start[8:] != b"{":
        # The brace: a safetensors file may open with these bytes too, as the length of its header.
        raise UserError(f"{path}: a bare pickle, which could run code; {EXPECTED}")
    else:
        meta, weights = _read_safetensors(path)
    return meta, _filled(meta, weights, source=str(path))


def _read_safetensors(path: Path) -> tuple[ModelMeta, dict[str, Tensor]]:
    with refusing(path, SafetensorError, OSError), safe_open(path, framework="pt") as file:
        meta = meta_of(file, path)
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (not a dict)
        kinds = {file.get_slice(key).get_dtype() for key in shapes}
        _check_shapes(meta, shapes, kinds - {"F32"}, source=str(path))
        return meta, {key: file.get_tensor(key) for key in shapes}


def _read_checkpoint(path: Path) -> tuple[ModelMeta, dict[str, Tensor]]:
    try:
        content = torch_file.load(path)  # optimiser state and raw weights stay on disk
    except torch_file.UnreadableError as error:
        raise UserError(f"{path}: {error}; {EXPECTED}") from error
    text = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise UserError(f"{path}: a PyTorch file, but no brushnet checkpoint (no {KEY!r} entry); {EXPECTED}")
    meta = ModelMeta.from_json(text, source=str(path))
    state = content.get("state_dict")
    state = state if isinstance(state, dict) else {}
    weights = {
        key.removeprefix(EMA_PREFIX): value
        for key, value in state.items()
        if isinstance(key, str) and key.startswith(EMA_PREFIX) and isinstance(value, Tensor)
    }
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    odd_kinds = {str(value.dtype) for value in weights.values()} - {"torch.float32"}
    _check_shapes(meta, shapes, odd_kinds, source=str(path))
    return meta, weights


def _check_shapes(meta: ModelMeta, shapes: Mapping[str, tuple[int, ...]], odd_kinds: set[Any], *, source: str) -> None:
    """The weights must be exactly those of the network that the metadata describes, in the file's format."""
    if odd_kinds:
        raise UserError(f"{source}: weights must be float32, got {', '.join(sorted(map(str, odd_kinds)))}")
    of_net = {key: tuple(value.shape) for key, value in meta.blank_net().state_dict().items()}
    expected = shapes_in(meta.format, of_net, source=source)
    for key in sorted(expected.keys() | shapes.keys()):
        if expected.get(key) != shapes.get(key):
            raise UserError(
                f"{source}: weight {key[:200]!r} must be {_shape_text(expected.get(key))} in the network that the "
                f"metadata describes, got {_shape_text(shapes.get(key))}"
            )


def _shape_text(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else "x".join(map(str, shape)) or "one number"


def _filled(meta: ModelMeta, weights: Mapping[str, Tensor], *, source: str) -> ResidualTransformer:
    weights = upgraded(meta.format, weights, styles=meta.styles)
    # Cloned: the file is mapped into memory, and training may write it anew while the model is in use.
    weights = {key: value.clone(memory_format=torch.contiguous_format) for key, value in weights.items()}
    broken = [key for key, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise UserError(f"{source}: weight {broken[0]!r} holds NaN or infinite values")
    net = meta.blank_net()
    net.load_state_dict(weights, assign=True)
    assert not any(value.is_meta for value in [*net.parameters(), *net.buffers()])
    return net.eval().requires_grad_(False)
