import pickle

import pytest
import torch

from brushnet.checkpoints import file
from brushnet.errors import UserError


def test_what_is_written_is_read(tmp_path):
    content = {"state": {"a": torch.randn(3, 4).to(memory_format=torch.contiguous_format)}, "step": 5, "none": None}
    file.write(content, tmp_path / "x.ckpt")
    found = file.read(tmp_path / "x.ckpt")
    assert torch.equal(found["state"]["a"], content["state"]["a"])
    assert found["step"] == 5
    assert found["none"] is None


def test_a_damaged_one_is_named_with_the_way_out(tmp_path):
    path = tmp_path / "x.ckpt"
    file.write({"step": 5}, path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"resume=.*x\.ckpt is damaged: it is cut off .*; resume=RUN takes the newest"):
        file.read(path)


def test_other_things_than_a_mapping_are_refused(tmp_path):
    torch.save([1, 2], tmp_path / "x.ckpt")
    with pytest.raises(UserError, match=r"resume=.*x\.ckpt is no checkpoint of brushnet train"):
        file.read(tmp_path / "x.ckpt")


class Canary:
    def __reduce__(self):
        return (open, ("canary", "w"))


def test_code_in_it_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Canary()}, tmp_path / "x.ckpt", pickle_module=pickle)
    with pytest.raises(UserError, match=r"resume=.*x\.ckpt cannot be read as a checkpoint: it holds more than tensors"):
        file.read(tmp_path / "x.ckpt")
    assert not (tmp_path / "canary").exists()
