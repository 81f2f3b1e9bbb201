"""Files of torch.save made hostile: the archive, its pickle operation by operation, its storages."""

import io
import pickletools
import random
import struct
import warnings
import zipfile

from tests.hostile.mutations import HUGE, bytes_mutated


def _call(module: str, name: str, argument: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + argument + b"\x85R"


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


PAYLOADS = (
    _call("os", "system", _text("touch ran")),
    _call("posix", "system", _text("touch ran")),
    _call("builtins", "eval", _text("open('ran', 'w')")),
    _call("builtins", "exec", _text("open('ran', 'w')")),
    _call("__builtin__", "exec", _text("open('ran', 'w')")),
    b"cpathlib\nPath.touch\n" + _text("ran") + b"\x85R",
    _call("builtins", "bytearray", _integer(2**33)),
    _call("torch", "Tensor", _integer(2**33)),
    _call("torch", "FloatStorage", _integer(2**33)),
    _call("collections", "OrderedDict", b"]" + b"]" * 100 + b"a" * 100),
    b"(" + _text("touch ran") + b"ios\nsystem\n",  # INST
    b"c__main__\nx\n",
    b"}" + _text("items") + b"K\x07sb",  # BUILD: methods replaced
    *(b"N", b"\x88", b"]", b"}", b")", b"(", b"t", b"0", b"2", b"1", b"R", b"b", b"s", b"u", b"a", b"e", b"Q", b"."),
    _text("\ud800"),
    _text("a" * 100_000),
    _text("../../x"),
    b"G\x7f\xf8\0\0\0\0\0\0",  # NaN
    *(_integer(value) for value in HUGE),
    b"h\x00", b"h\x05", b"j\xff\xff\xff\xff", b"\x95" + b"\xff" * 8, b"\x8c\xff", b"B\xff\xff\xff\x7f",
)  # fmt: skip
NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")


def pickle_mutated(data: bytes, rng: random.Random) -> bytes:
    """Operations lost, doubled, swapped, replaced; numbers made huge; calls of what must never be called put in."""
    starts = [position for _, _, position in pickletools.genops(data)]
    ends = [*starts[1:], len(data)]
    operations = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    names = [code.name for code, _, _ in pickletools.genops(data)]
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(operations))
        match rng.randrange(6):
            case 0:
                operations[place] = b""
            case 1:
                operations[place] += operations[rng.randrange(len(operations))]
            case 2:
                operations.insert(place, rng.choice(PAYLOADS))
                names.insert(place, "")
            case 3:
                operations[place] = rng.choice(PAYLOADS)
            case _:
                numbers = [each for each, name in enumerate(names) if name in NUMBERS] or [place]
                operations[rng.choice(numbers)] = _integer(rng.choice(HUGE))
    return b"".join(operations)


def torch_zip_mutated(data: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(10)
    if kind < 3:
        return bytes_mutated(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = rng.randrange(len(members))
    name, content = members[place]
    match kind:
        case 3:
            members[place] = name, bytes_mutated(content, rng)
        case 4:
            other = rng.choice((name, name.upper(), "../ran", "/ran", "x/constants.pkl", "x/data.pkl"))
            members.append((other, content))
        case 5:
            del members[place]
        case _:
            members = [(name, pickle_mutated(each, rng) if name.endswith(".pkl") else each) for name, each in members]
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_STORED if rng.random() < 0.9 else zipfile.ZIP_DEFLATED
    ) as archive:  # fmt: skip
        for name, each in members:
            archive.writestr(name, each)
    return buffer.getvalue()


def torch_legacy_mutated(data: bytes, rng: random.Random) -> bytes:
    """Of the five pickles before the storages one is changed."""
    if rng.random() < 0.4:
        return bytes_mutated(data, rng)
    stream = io.BytesIO(data)
    pickles = []
    for _ in range(5):
        start = stream.tell()
        for _ in pickletools.genops(stream):
            pass
        pickles.append(data[start : stream.tell()])
    place = rng.choice((0, 1, 2, 3, 3, 3, 4))
    storages = data[stream.tell() :]
    pickles[place] = pickle_mutated(pickles[place], rng)
    return b"".join(pickles) + storages
