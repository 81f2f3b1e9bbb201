"""How files are made hostile: first their bytes, then what they are made of. Each takes its draws from `rng`."""

import json
import random
import struct
from collections.abc import Callable
from copy import deepcopy
from typing import Any

Edit = Callable[[bytes, random.Random], bytes]

HUGE = (-1, 0, 1, 7, 2**15, 2**31 - 1, 2**32, 2**53 + 1, 2**62, 2**63, 2**64, 10**30, -(2**63))
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, *HUGE, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "a" * 100_000,
    "\x1b[2J\n\r\x00", "\ud800", "../../../etc/passwd", "/etc/passwd", "~/x", "C:\\x", "pipe:touch ran", "https://localhost:1/x.tar",
    "${oc.env:HOME}", "${now:%S}", "${hydra:run.dir}", "???", {"_target_": "os.system", "_args_": ["touch ran"]},
    "²", "1" * 5000, [], {}, [[]], [1, "a", None], {"": {}}, {"a": 1, "format": 1}, [0] * 1000,
)  # fmt: skip


def bytes_mutated(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(EDITS)(data, rng)
    return data


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 64, 512, 4096)))


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _cut_out(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 100)) + data[end:]


def _zeroed(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.choice((b"\0", b"\xff")) * (end - start) + data[end:]


def _swapped(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    other = rng.randint(end, len(data))
    return data[:start] + data[end:other] + data[start:end] + data[other:]


def _number(data: bytes, rng: random.Random) -> bytes:
    """A length or a count in a header becomes another one."""
    place, kind = rng.randint(0, min(len(data), 4096)), rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    number = struct.pack(kind, rng.choice(HUGE) % (1 << 8 * struct.calcsize(kind)))
    return data[:place] + number + data[place + len(number) :]


def _junk(data: bytes, rng: random.Random) -> bytes:
    start, _ = _span(data, rng)
    return data[:start] + bytes(rng.randrange(256) for _ in range(rng.randint(1, 16))) + data[start:]


EDITS: tuple[Edit, ...] = (_flipped, _cut_off, _cut_out, _repeated, _zeroed, _swapped, _number, _junk)


def values_mutated(content: Any, rng: random.Random) -> Any:
    """JSON-like content with some of its values changed, lost, doubled, nested or of another type."""
    content = {"": deepcopy(content)}
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(list(_places(content)))
        value = container[key]
        match rng.randrange(6):
            case 0 | 1 | 2:
                container[key] = deepcopy(rng.choice(ODD_VALUES))
            case 3:
                _remove(container, key)
            case 4:
                container[key] = _nested(value, rng.choice((1, 2, 60, 3000)), rng)
            case 5:
                _doubled(container, value, rng)
    return content.get("")


def _places(content: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value, without recursion: what is nested too deep for that is one of the attacks."""
    found, left = [], [content]
    while left:
        container = left.pop()
        keys = range(len(container)) if isinstance(container, list) else list(container)
        found += [(container, key) for key in keys]
        left += [container[key] for key in keys if isinstance(container[key], dict | list)]
    return found[:5000]


def _remove(container: Any, key: Any) -> None:
    if isinstance(container, list) or key != "":
        del container[key]


def _nested(value: Any, depth: int, rng: random.Random) -> Any:
    as_list = rng.random() < 0.5
    for _ in range(depth):
        value = [value] if as_list else {"a": value}
    return value


def _doubled(container: Any, value: Any, rng: random.Random) -> None:
    if isinstance(container, list):
        container.append(value)
    else:
        container[rng.choice(("extra", "../x", "", "_target_", "hydra", "__class__", "a" * 5000, "\n", "0"))] = value


def json_mutated(data: bytes, rng: random.Random) -> bytes:
    return dumped(values_mutated(json.loads(data), rng))


def dumped(content: Any) -> bytes:
    """JSON text of anything that `values_mutated` made; of what is nested too deep for `json` a text that is deep."""
    try:
        return json.dumps(content).encode("utf-8", "surrogatepass")
    except RecursionError:
        return b'{"a":[' * 3000


def safetensors_mutated(data: bytes, rng: random.Random) -> bytes:
    """The header's entries, the JSON inside its metadata, its length, or the weights."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    match rng.randrange(4):
        case 0:
            header = values_mutated(header, rng)
        case 1 if "__metadata__" in header:
            key = rng.choice(list(header["__metadata__"]))
            text = dumped(values_mutated(json.loads(header["__metadata__"][key]), rng))
            header["__metadata__"][key] = text.decode("utf-8", "surrogatepass")
        case 2:
            body = bytes_mutated(body, rng)
        case _:
            return bytes_mutated(data, rng)
    text = dumped(header)
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if rng.random() < 0.9 else rng.choice(HUGE) % 2**64) + text + body
