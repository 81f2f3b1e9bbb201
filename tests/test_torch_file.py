"""What torch.save wrote is read; what a stranger makes of such a file is refused before it takes memory or runs."""

import io
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from brushnet import torch_file
from brushnet.torch_file import MOST_PICKLE_BYTES, UnreadableError, load

STATE = {"weight": torch.arange(12.0).reshape(3, 4), "count": torch.tensor(7)}


def repacked(path: Path, change, *, compression=zipfile.ZIP_STORED, more=()) -> Path:
    """The archive with `change(pickle)` in place of its pickle, and `more` members behind the others."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in [*members, *more]:
            archive.writestr(name, change(data) if name.endswith("data.pkl") else data)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(STATE, tmp_path / "state.pt")
    return tmp_path / "state.pt"


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_comes_back(tmp_path, zipped):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(1, 3, 5, 5)).sum().backward()
    optimizer.step()
    content = {
        "state_dict": net.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "parameter": nn.Parameter(torch.ones(2)),
        "half": torch.ones(2, 2).half().T,
        "text": "é",
        "others": (1, 2.5, None, True, []),
    }
    torch.save(content, tmp_path / "all.ckpt", _use_new_zipfile_serialization=zipped)
    found = load(tmp_path / "all.ckpt")
    torch.testing.assert_close(found["state_dict"], dict(net.state_dict()))
    torch.testing.assert_close(found["optimizer_states"][0]["state"], optimizer.state_dict()["state"])
    assert (found["text"], found["others"]) == ("é", content["others"])
    assert torch.equal(found["half"], content["half"])
    assert type(found["parameter"]) is torch.Tensor


@pytest.mark.parametrize(
    "call",
    [
        (bytearray, (2**33,)),
        (torch.Tensor, (2**16, 2**16)),
        (torch.FloatTensor, (2**33,)),
        (eval, ("open('ran', 'w')",)),
        (print, ("ran",)),
    ],
    ids=lambda call: call[0].__name__,
)
@pytest.mark.parametrize("way", ["zip", "legacy"])
def test_a_pickle_that_calls_anything_is_refused_before_it_does(file, way, call, monkeypatch, capsys):
    class Attack:
        def __reduce__(self):
            return call

    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch saw it"))
    if way == "zip":
        repacked(file, lambda _: pickle.dumps({"weight": Attack()}, protocol=2))
    else:
        torch.save({"weight": Attack()}, file, _use_new_zipfile_serialization=False)
    with pytest.raises(UnreadableError, match=r"^it holds more than tensors; such a file could run code and is not lo"):
        load(file)
    assert not (file.parent / "ran").exists()
    assert capsys.readouterr().out == ""


def test_compressed_members_are_refused(file):
    repacked(file, lambda data: data, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnreadableError, match=r"^its members are compressed, and could unfold to any size$"):
        load(file)


def test_an_archive_that_two_readers_see_differently_is_refused(file):
    """Python reads the directory right before the end record, torch the one at the offset that is told there."""
    repacked(file, lambda data: data, compression=zipfile.ZIP_DEFLATED)
    data = file.read_bytes()
    size, offset = struct.unpack("<II", data[-10:-2])
    stored = data[offset : offset + size].replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\0\0")
    file.write_bytes(data[:-22] + stored + data[-22:])
    with zipfile.ZipFile(file) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
    assert torch.load(file, weights_only=True)["count"] == 7  # unpacked
    with pytest.raises(UnreadableError, match="it is no file of weights, or a damaged one"):
        load(file)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other/constants.pkl", "it holds more than tensors; such a file could run code"),  # TorchScript
        ("other/more.pkl", "it is no file of weights"),
        ("state/DATA.pkl", "it is no file of weights"),
        ("state/Byteorder", "it is no file of weights"),
    ],
)
def test_members_that_could_be_taken_for_others_are_refused(file, name, message):
    repacked(file, lambda data: data, more=[(name, b"little")])
    with pytest.raises(UnreadableError, match=message):
        load(file)


def test_a_long_pickle_is_refused_unread(file):
    repacked(file, lambda _: b"\x80\x02(" + b"]" * MOST_PICKLE_BYTES + b"l.")
    with pytest.raises(UnreadableError, match=r"^its pickle has \d+ bytes, at most 4000000 are read$"):
        load(file)


def nested(count: int):
    value: list = []
    for _ in range(count):
        value = [value] * 10
    return value


@pytest.mark.parametrize("depth", [6, 60])
def test_lists_that_unfold_are_refused(tmp_path, depth):
    torch.save(nested(depth), tmp_path / "nested.pt")
    assert (tmp_path / "nested.pt").stat().st_size < 4000
    with pytest.raises(UnreadableError, match=r"^it holds more than 200000 values, or nests them deeper than 50$"):
        load(tmp_path / "nested.pt")


@pytest.mark.parametrize(
    "value",
    [torch.zeros(1).expand(10**12), [torch.zeros(9, 9).as_strided((99, 99), (0, 0))] * 2, [torch.zeros(500)] * 20],
    ids=["one number", "no strides", "many names"],
)
def test_tensors_that_unfold_are_refused(tmp_path, value):
    torch.save(value, tmp_path / "thin.pt")
    with pytest.raises(UnreadableError, match=r"^its tensors would unfold to more bytes than the file has$"):
        load(tmp_path / "thin.pt")


def test_a_tensor_on_another_device_is_refused(file):
    with pytest.raises(UnreadableError):
        load(repacked(file, lambda data: data.replace(b"cpu", b"mps")).with_name("none.pt"))


@pytest.mark.parametrize("value", [{(1, 2): 3}, {None: 1}, 2**70, 1j, {1, 2}, "\ud800"], ids=repr)
def test_values_that_no_checkpoint_has_are_refused(tmp_path, value):
    torch.save({"value": value}, tmp_path / "odd.pt")
    with pytest.raises(UnreadableError, match=r"it (is no file of weights|holds more than tensors)"):
        load(tmp_path / "odd.pt")


def test_methods_that_a_file_puts_into_a_dict_are_left_there(tmp_path):
    torch.save(OrderedDict(STATE), tmp_path / "mined.pt")
    build = b"}X\x05\0\0\0itemsK\x07sb."  # content.__dict__.update({"items": 7})
    found = load(repacked(tmp_path / "mined.pt", lambda data: data[:-1] + build))
    assert type(found) is dict
    assert found.items() > {("count", found["count"])}


def test_sizes_beyond_their_record_are_refused(file):
    for wrong in (200, 2**31 - 1):
        size = b"J" + struct.pack("<i", wrong)
        torch.save(STATE, file)
        repacked(file, lambda data, size=size: data.replace(b"K\x0c", size).replace(b"K\x03K\x04", b"K\x03" + size))
        with pytest.raises(UnreadableError, match=r"no file of weights|would unfold"):
            load(file)


def test_every_call_of_a_real_file_is_one_that_tensors_are_made_with(file):
    with zipfile.ZipFile(file) as archive:
        stream = io.BytesIO(archive.read("state/data.pkl"))
    named = {argument for code, argument, _ in pickletools.genops(stream) if code.name == "GLOBAL"}
    assert named <= torch_file._CALLED | torch_file._KINDS


def test_a_folder_and_a_missing_file_say_so(tmp_path):
    with pytest.raises(UnreadableError, match="Is a directory"):
        load(tmp_path)
    with pytest.raises(UnreadableError, match="No such file"):
        load(tmp_path / "none.pt")
