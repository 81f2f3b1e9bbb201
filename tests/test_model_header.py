"""What a model says of itself, read from the header alone and as little trusted as the whole file."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from brushnet import models
from brushnet.errors import UserError
from brushnet.model_header import read_meta
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer


@pytest.fixture
def saved(tmp_path):
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=1)
    meta = ModelMeta.of(
        net,
        stroke_mode="conditioned",
        stroke_min=0.5,
        stroke_max=2.0,
        reference_px=256,
        style_names=["waves"],
        training={"steps": 7},
    )
    models.save(tmp_path / "model.safetensors", net, meta)
    return tmp_path / "model.safetensors"


def test_the_header_gives_what_the_whole_file_gives(saved):
    assert read_meta(saved) == models.load(saved).meta


def test_reading_it_does_not_import_torch(saved):
    code = f"""
import sys; from pathlib import Path; from brushnet.model_header import read_meta
print(read_meta(Path({str(saved)!r})).style_names); sys.exit('torch' in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "('waves',)\n"


def test_hostile_metadata_is_refused(saved):
    content = json.loads(read_meta(saved).to_json())
    content["net"]["width"] = 10**9
    save_file(load_file(saved), saved, metadata={"brushnet": json.dumps(content)})
    with pytest.raises(
        UserError, match=r"model\.safetensors: metadata net\.width must be a whole number from 1 to 256"
    ):
        read_meta(saved)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_file_is_refused(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(
        UserError, match=r"model\.safetensors: damaged, cut off or not a model \(.*\); a brushnet model"
    ):
        read_meta(saved)


def test_safetensors_of_another_program_is_refused(saved):
    save_file({"a": torch.zeros(2)}, saved)
    with pytest.raises(UserError, match=r"a safetensors file, but not of brushnet \(no 'brushnet' metadata\)"):
        read_meta(saved)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.safetensors: cannot be read \(No such file or directory\)"):
        read_meta(tmp_path / "gone.safetensors")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_meta(tmp_path)
