import io
import re
import zipfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brushnet.checkpoints import file, seal


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    path = tmp_path_factory.mktemp("seal") / "a.ckpt"
    file.write({"weights": torch.arange(64.0), "step": 3}, path)
    return path


def test_a_sealed_file_is_whole_and_any_reader_of_pytorch_files_reads_it(sealed):
    assert seal.damage(sealed) is None
    assert torch.equal(torch.load(sealed, weights_only=True)["weights"], torch.arange(64.0))
    with zipfile.ZipFile(sealed) as archive:
        assert archive.comment.startswith(b"sha256:")
        assert archive.testzip() is None


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(data=st.data())
def test_any_changed_byte_and_any_missing_end_is_found(sealed, data):
    content = bytearray(sealed.read_bytes())
    position = data.draw(st.integers(0, len(content) - 80))  # before the seal
    changed = sealed.with_name("changed.ckpt")
    content[position] ^= data.draw(st.integers(1, 255))
    changed.write_bytes(bytes(content))
    assert seal.damage(changed) is not None
    changed.write_bytes(sealed.read_bytes()[:position])
    assert seal.damage(changed) is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", r"^it is empty$"), (b"junk", r"^it is cut off or no checkpoint \(File is not a zip file\)$")],
)
def test_what_is_no_checkpoint_is_said(tmp_path, content, message):
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    assert re.search(message, seal.damage(path))


def test_without_a_seal_the_check_sums_of_the_members_count(tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save({"weights": torch.arange(64.0)}, path)
    assert seal.damage(path) is None
    content = bytearray(path.read_bytes())
    at = content.index(torch.arange(64.0).numpy().tobytes()[:64])
    content[at + 10] ^= 1
    path.write_bytes(bytes(content))
    assert seal.damage(path) == "its member 'x/data/0' is damaged"


def test_compressed_members_are_no_checkpoint(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 100_000)
    path = tmp_path / "x.ckpt"
    path.write_bytes(buffer.getvalue())
    assert seal.damage(path) == "it has compressed members, which no PyTorch checkpoint has"
