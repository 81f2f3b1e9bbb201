"""`brushnet export` end to end: files that other programs read, and everything that it refuses."""

import errno
import json
import os
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open

import brushnet
from brushnet import cli, models
from brushnet.export import check, export, onnx_file, write
from brushnet.model_meta import FORMAT, KEY, ModelMeta
from brushnet.nets import ResidualTransformer


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A small model in the current folder, compared at one size."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "SIZES", check.SIZES[:1] * 3)
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=1)
    meta = ModelMeta.of(
        net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2, reference_px=256, style_names=["waves"]
    )
    models.save("model.safetensors", net.eval(), meta)
    return tmp_path


def exported(*options, model="model.safetensors"):
    return cli.main(["export", model, *options])


def refused(capsys, *options, model="model.safetensors", code=2):
    assert exported(*options, model=model) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_an_onnx_paints_in_onnx_runtime_and_says_what_it_is(capsys):
    assert exported("-o", "out/model.onnx", "--licence", "CC0") == 0
    assert re.fullmatch(
        r"out/model\.onnx: 0\.\d MB, float32; \d+ paintings compared with the network's: at most \S+/255 apart\n",
        capsys.readouterr().err,
    )
    texts = {each.key: each.value for each in onnx.load("out/model.onnx").metadata_props}
    assert ModelMeta.from_json(texts[KEY], source="x").style_names == ("waves",)
    assert (texts["licence"], texts["stroke_min"], texts["stroke_max"]) == ("CC0", "0.5", "2")
    session = onnxruntime.InferenceSession("out/model.onnx", providers=["CPUExecutionProvider"])
    photo = torch.rand(1, 3, 33, 26)
    inputs = {"photo": photo.numpy(), "stroke": np.full((1, 1, 1, 1), 1.5, np.float32),
              "strength": np.ones(1, np.float32)}  # fmt: skip
    expected = brushnet.load("model.safetensors", device="cpu")(photo, 1.5)
    assert np.abs(session.run(["painting"], inputs)[0] - expected.numpy()).max() < 0.1 / 255


def test_half_precision_halves_the_weights(capsys):
    assert exported("-o", "full.onnx", "--json") == 0
    full = json.loads(capsys.readouterr().out)
    assert exported("-o", "half.onnx", "--precision", "float16", "--json") == 0
    half = json.loads(capsys.readouterr().out)
    assert (full["precision"], half["precision"]) == ("float32", "float16")
    assert half["bytes"] == os.path.getsize("half.onnx") < full["bytes"]
    assert 0 <= full["largest_difference"] < 0.1
    assert full["largest_difference"] < half["largest_difference"] <= 2
    kinds = {each.data_type for each in onnx.load("half.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds


def test_a_safetensors_is_a_model_again(capsys):
    assert exported("-o", "copy.safetensors", "--licence", "mine") == 0
    with safe_open("copy.safetensors", framework="pt") as file:
        assert file.metadata()["licence"] == "mine"
    first, second = (brushnet.load(name).net.state_dict() for name in ("model.safetensors", "copy.safetensors"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_in_python_a_model_at_hand_is_exported_as_it_is(folder):
    model = brushnet.load("model.safetensors", device="cpu")
    model.net.double()
    done = export(model, folder / "x.onnx")
    assert done.largest_difference < 0.1
    assert next(model.net.parameters()).dtype == torch.float64
    assert (folder / "x.onnx").stat().st_size == done.bytes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x.tflite"], r"-o x\.tflite: the suffix must be one of \.onnx, \.pt2, \.safetensors, got \.tflite"),
        (["-o", "x"], r"-o x: the suffix must be one of .*, got none"),
        (["-o", "x.onnx", "--precision", "int8"], "--precision must be one of float32, float16, got int8"),
        (["-o", "x.pt2", "--precision", "float16"], r"--precision float16 is for \.onnx only, a \.pt2 holds float32"),
        (["-o", "x.onnx", "--licence", ""], "--licence must be printable text of 1 to 1000 characters, got ''"),
        (["-o", "folder.onnx"], r"-o folder\.onnx: a folder; give a file"),
        (["-o", "there.onnx"], r"-o there\.onnx would be overwritten; pass --force to allow it, or choose another"),
        (["-o", "there.onnx/x.onnx"], r"-o there\.onnx/x\.onnx cannot be written: Not a directory"),
        (["-o", "model.safetensors", "--force"], r"-o model\.safetensors is the model itself; choose another"),
    ],
)
def test_refused_before_anything_is_written(folder, capsys, options, message):
    (folder / "folder.onnx").mkdir()
    (folder / "there.onnx").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert re.search(message, refused(capsys, *options))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path in before} == before
    assert set(folder.rglob("*")) == set(before)


def test_what_is_no_model_or_of_a_newer_brushnet_is_refused(folder, capsys):
    (folder / "junk.safetensors").write_bytes(b"no model at all")
    assert "damaged, cut off or not a model" in refused(capsys, "-o", "x.onnx", model="junk.safetensors")
    data = (folder / "model.safetensors").read_bytes()
    old, new = f'\\"format\\": {FORMAT}'.encode(), f'\\"format\\": {FORMAT + 1}'.encode()
    assert old in data
    (folder / "newer.safetensors").write_bytes(data.replace(old, new))
    assert "a newer brushnet is needed" in refused(capsys, "-o", "x.onnx", model="newer.safetensors")
    assert not (folder / "x.onnx").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing keeps this user out of a folder")
def test_a_folder_without_permission_is_refused(folder, capsys):
    (folder / "locked").mkdir(mode=0o500)
    assert "-o locked/x.onnx cannot be written: Permission denied" in refused(capsys, "-o", "locked/x.onnx")


def test_missing_packages_are_named_with_their_extra(monkeypatch, capsys):
    find = write.importlib.util.find_spec
    monkeypatch.setattr(write.importlib.util, "find_spec", lambda name: None if "onnx" in name else find(name))
    assert "an .onnx needs onnx and onnxruntime: pip install 'brushnet[export]'" in refused(capsys, "-o", "x.onnx")


def test_an_export_that_paints_something_else_leaves_no_file(folder, monkeypatch, capsys):
    painter = onnx_file.painter
    monkeypatch.setattr(onnx_file, "painter", lambda data: lambda inputs: painter(data)(inputs) + 1 / 255)
    (folder / "x.onnx").write_text("the one before")
    error = refused(capsys, "-o", "x.onnx", "--force", code=1)
    assert re.search(
        r"differs from the network by up to 1(\.0\d)?/255 \(\d+ x \d+ px, .*\), allowed are 0\.5/255: nothing", error
    )
    assert (folder / "x.onnx").read_text() == "the one before"


def test_a_full_disk_leaves_no_part(folder, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before = set(folder.iterdir())
    assert "cannot write x.onnx: No space left on device" in refused(capsys, "-o", "x.onnx", code=1)
    assert set(folder.iterdir()) == before


def test_help_and_refusals_come_without_torch():
    code = (
        "import sys\nfrom brushnet import cli\n"
        "try: cli.main(['export', '--help'])\nexcept SystemExit: pass\n"
        "assert cli.main(['export', 'm', '-o', 'x.gif']) == 2\nsys.exit(bool({'torch', 'onnx'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
