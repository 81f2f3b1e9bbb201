"""Files of torch.save (.pth, .pt, .ckpt), read as a stranger's: plain containers, numbers, text and tensors only.

torch's `weights_only` alone runs no code, but builds whatever the file asks for: 40 bytes call `bytearray(10**10)`, a
stride of 0 gives a tensor of any shape, a list may hold one list a million times. So the file is looked at before, and
what was built after.
"""

import math
import pickle
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from brushnet.errors import BrushnetError

CODE = "it holds more than tensors; such a file could run code and is not loaded"
DAMAGED = "it is no file of weights, or a damaged one"
MOST_PICKLE_BYTES = 4_000_000  # of a real file some thousands; each may become an object of 64 bytes
MOST_VALUES, DEEPEST = 200_000, 50  # of the content, each counted wherever it is found
_LARGEST_INT = 2**63

_CALLED = {"collections OrderedDict", "torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2",
           "torch._utils _rebuild_parameter"}  # fmt: skip
_KINDS = {f"torch {kind}Storage" for kind in ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char",
                                              "Byte", "Bool")}  # fmt: skip
_LEGACY_PICKLES = 5  # magic number, protocol, machine, content, keys of the storages; the storages follow
_ZIP = b"PK\x03\x04"
_END, _LOCATOR64, _END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"


class UnreadableError(BrushnetError):
    """Why a file was not loaded, without its name, which the caller adds."""


def load(path: Path) -> Any:
    """The content; tensors of a zip archive lie on disk until they are copied. UnreadableError, and nothing else."""
    try:
        with path.open("rb") as file:
            is_zip = file.read(len(_ZIP)) == _ZIP
        streams = _pickles_of_zip(path) if is_zip else _pickles_of_legacy(path)
        for stream in streams:
            _check_calls(stream)
        # Its warnings are about what is refused below.
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, weights_only=True, map_location="cpu", mmap=is_zip)
        return _checked(content, path.stat().st_size)
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or DAMAGED) from error
    except Exception as error:  # torch's unpickler runs into nearly every kind, an IndexError on an empty stack
        raise UnreadableError(CODE if isinstance(error, pickle.UnpicklingError) else DAMAGED) from error


def _pickles_of_zip(path: Path) -> Iterator[BytesIO]:
    """The one pickle of the archive. What the directory says of it must be what torch's own zip reader will read."""
    _check_end(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise UnreadableError("its members are compressed, and could unfold to any size")
        names = [member.filename.casefold() for member in members]  # torch looks a name up in any case
        found = [member for member, name in zip(members, names, strict=True) if name.endswith(".pkl")]
        if any(name.endswith("constants.pkl") for name in names):
            raise UnreadableError(CODE)  # TorchScript
        if len(set(names)) < len(names) or len(found) != 1 or sum(member.file_size for member in members) > _size(path):
            raise UnreadableError(DAMAGED)
        if found[0].file_size > MOST_PICKLE_BYTES:
            raise UnreadableError(f"its pickle has {found[0].file_size} bytes, at most {MOST_PICKLE_BYTES} are read")
        yield BytesIO(archive.read(found[0]))


def _check_end(path: Path) -> None:
    """Where the directory lies is said two or three times over; readers that believe different ones see other files."""
    size = _size(path)
    with path.open("rb") as file:
        file.seek(max(0, size - 2**17))
        tail = file.read()
    first, end = size - len(tail), tail.rfind(_END, 0, len(tail) - 18)
    directory_bytes, offset = struct.unpack("<II", tail[end + 12 : end + 20])
    if tail[end - 20 : end - 16] == _LOCATOR64:
        record, end = struct.unpack("<Q", tail[end - 12 : end - 4])[0] - first, end - 76
        directory_bytes, offset = struct.unpack("<QQ", tail[end + 40 : end + 56])
        if record != end or tail[end : end + 4] != _END64:
            raise UnreadableError(DAMAGED)
    if offset + directory_bytes != first + end:
        raise UnreadableError(DAMAGED)


def _size(path: Path) -> int:
    return path.stat().st_size


def _pickles_of_legacy(path: Path) -> Iterator[BytesIO]:
    """Of torch before 1.6, as some weights are that people still download."""
    with path.open("rb") as file:
        stream = BytesIO(file.read(MOST_PICKLE_BYTES))
    for _ in range(_LEGACY_PICKLES):
        yield stream


def _check_calls(stream: BytesIO) -> None:
    """UnreadableError where a pickle names anything to be called that tensors are not made with."""
    for code, argument, _ in pickletools.genops(stream):
        if code.name == "GLOBAL" and argument not in _CALLED | _KINDS:
            raise UnreadableError(CODE)


def _checked(content: Any, file_bytes: int) -> Any:
    """The same of plain dicts, lists and tensors. What is read of it later may not surprise anybody."""
    left = {"values": MOST_VALUES, "bytes": file_bytes}

    def plain(value: Any, depth: int) -> Any:
        left["values"] -= 1
        if left["values"] < 0 or depth > DEEPEST:
            raise UnreadableError(f"it holds more than {MOST_VALUES} values, or nests them deeper than {DEEPEST}")
        match value:
            case Tensor():
                return _plain_tensor(value, left)
            case dict():  # of an OrderedDict, a file can even replace the methods: these are dict's own
                return {_plain_key(key): plain(each, depth + 1) for key, each in dict.items(value)}
            case list():
                return [plain(each, depth + 1) for each in value]
            case tuple():
                return tuple(plain(each, depth + 1) for each in value)
            case _:
                return _plain_value(value)

    return plain(content, 0)


def _plain_key(key: Any) -> str | int:
    if not isinstance(key, str | int):
        raise UnreadableError(DAMAGED)
    return _plain_value(key)


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        value.encode()  # halves of surrogate pairs cannot be printed
    known = value is None or type(value) in (str, bytes, bool, float, int)
    if not known or (type(value) is int and abs(value) >= _LARGEST_INT):
        raise UnreadableError(DAMAGED)
    return value


def _plain_tensor(value: Tensor, left: dict[str, int]) -> Tensor:
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_nested or value.is_quantized:
        raise UnreadableError(f"it holds a tensor that is not plain ({value.layout} on {value.device})")
    left["bytes"] -= math.prod(value.shape) * value.element_size()
    if left["bytes"] < 0:  # strides of 0, or one piece of the file under many names
        raise UnreadableError("its tensors would unfold to more bytes than the file has")
    return value.detach()
