"""scripts/score_models.py, bench_lossnet.py and embed_model.py from the command line, with untrained small models."""

import json

import pytest

import brushnet
from brushnet import models, seeds
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from tests.conftest import load_script


@pytest.fixture
def model_file(tmp_path):
    with seeds.torch_seeded(0, "test"):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=1)
    meta = ModelMeta.of(net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2, reference_px=64,
                        style_names=["strokes"], training={"steps": 3, "command": "brushnet train"})  # fmt: skip
    models.save(tmp_path / "model.safetensors", net, meta)
    return tmp_path / "model.safetensors"


def test_models_are_scored_by_the_network_given_and_relative_to_the_first(
    model_file, painting_file, photos_dir, lossnet_file, capsys
):
    script = load_script("score_models")
    files = ["--style", str(painting_file), "--content", str(photos_dir), "--weights", str(lossnet_file)]
    arguments = [str(model_file), str(model_file.parent), *files, "--photos", "2"]
    assert script.main([*arguments, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out).values()
    assert first == second
    assert set(first) == {"style", "style@0.5", "style@1", "style@2", "content"}
    assert first["style"] == pytest.approx((first["style@0.5"] + first["style@1"] + first["style@2"]) / 3)
    assert script.main(arguments) == 0
    assert capsys.readouterr().out.count("(1.000 x)") == 10


def test_a_missing_model_to_score_is_named_in_one_line(tmp_path, painting_file, photos_dir, lossnet_file, capsys):
    files = ["--style", str(painting_file), "--content", str(photos_dir), "--weights", str(lossnet_file)]
    assert load_script("score_models").main([str(tmp_path / "none.safetensors"), *files]) == 2
    assert "none.safetensors: no such model file" in capsys.readouterr().err


def test_no_photo_to_score_on_is_an_error(model_file, tmp_path, painting_file, lossnet_file, capsys):
    (tmp_path / "empty").mkdir()
    files = ["--style", str(painting_file), "--content", str(tmp_path / "empty"), "--weights", str(lossnet_file)]
    assert load_script("score_models").main([str(model_file), *files]) == 2
    assert "at least one photo is needed" in capsys.readouterr().err


def test_the_bench_gives_both_ratios(lossnet_file, capsys, monkeypatch):
    script = load_script("bench_lossnet")
    monkeypatch.setattr(script, "WARM_UP", 1)
    monkeypatch.setattr(script, "REPEATS", 1)
    assert script.main([str(lossnet_file), "--other", str(lossnet_file)]) == 2  # one network is no comparison
    assert "--other must be another network" in capsys.readouterr().err
    assert script.main([str(lossnet_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["loss network, forward and backward", "whole training step"]
    assert all("compact" in line and "times faster" in line for line in lines)


@pytest.fixture
def control_file(tmp_path):
    path = tmp_path / "control.json"
    path.write_text(json.dumps({"summaries": [{"slope": 0.81234, "mean_absolute_error_octaves": 0.25}]}))
    return path


def test_an_embedded_model_keeps_its_network_and_gains_figures(model_file, control_file, tmp_path, capsys):
    arguments = [str(model_file), "starry-night", "--painting", "Van Gogh, 1889", "--control", str(control_file)]
    assert load_script("embed_model").main([*arguments, "--out", str(tmp_path / "models")]) == 0
    shipped = brushnet.load(tmp_path / "models" / "starry-night.safetensors")
    assert shipped.meta.training == {
        "steps": 3,
        "command": "brushnet train",
        "painting": "Van Gogh, 1889",
        "control": {"slope": 0.812, "mean_absolute_error_octaves": 0.25},
    }
    before = brushnet.load(model_file).net.state_dict()
    assert all(value.equal(before[name]) for name, value in shipped.net.state_dict().items())


def test_figures_that_are_none_are_refused(model_file, tmp_path, capsys):
    (tmp_path / "other.json").write_text("{}")
    arguments = [str(model_file), "x", "--painting", "p", "--control", str(tmp_path / "other.json")]
    assert load_script("embed_model").main([*arguments, "--out", str(tmp_path / "models")]) == 2
    assert "other.json is no control.json of brushnet evaluate" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_what_is_too_large_to_ship_leaves_what_was_there(model_file, control_file, tmp_path, capsys, monkeypatch):
    script = load_script("embed_model")
    arguments = [str(model_file), "big", "--painting", "p", "--control", str(control_file)]
    assert script.main([*arguments, "--out", str(tmp_path / "models")]) == 0
    monkeypatch.setattr(script, "LARGEST_BYTES", 100)
    assert script.main([*arguments, "--out", str(tmp_path / "models")]) == 2
    assert "bytes; at most 100 may ship" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["big.safetensors"]  # the one before


@pytest.mark.parametrize("name", ["../x", "a/b", "Big", "", "a b"])
def test_a_name_that_nobody_could_type_is_refused(model_file, control_file, tmp_path, capsys, name):
    arguments = [str(model_file), name, "--painting", "p", "--control", str(control_file)]
    assert load_script("embed_model").main([*arguments, "--out", str(tmp_path / "models")]) == 2
    assert f"NAME must be of small letters, digits and -, got {name}" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
