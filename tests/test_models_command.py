"""`brushnet models`, and painting with an embedded model by its name, on models put into a folder of samples."""

import json

import pytest
import torch

import brushnet
from brushnet import cli, images, models, samples
from brushnet.commands.completion import script, words_by_command
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from tests.test_completion import complete_in_bash

KEYS = ["name", "file", "bytes", "style_names", "stroke_mode", "stroke_min", "stroke_max", "reference_px", "steps",
        "seconds", "lossnet", "device", "command", "painting", "losses", "control"]  # fmt: skip
COMMAND = "brushnet train 'style.files=[starry night.jpg]' data.path=PHOTOS"
TRAINING = {
    "steps": 1200,
    "seconds": 634.2,
    "lossnet": "vgg19",
    "device": "cuda:0",
    "command": COMMAND,
    "painting": "Vincent van Gogh, The Starry Night, 1889",
    "losses": {"val/style": 0.5},
    "control": {"slope": 0.8},
}


@pytest.fixture(autouse=True)
def samples_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "samples_dir", lambda: tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "samples"


@pytest.fixture
def embed(samples_dir):
    def embed(name, *, mode="conditioned", low=0.35, high=2.8, style_names=("starry night",), training=TRAINING):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=len(style_names))
        meta = ModelMeta.of(
            net,
            stroke_mode=mode,
            stroke_min=low,
            stroke_max=high,
            reference_px=256,
            style_names=style_names,
            training=training,
        )
        models.save(samples_dir / "models" / f"{name}.safetensors", net, meta)

    return embed


def listed(capsys, *flags, code=0):
    assert cli.main(["models", *flags]) == code
    return capsys.readouterr()


def test_no_model_is_said_and_no_failure(capsys):
    assert listed(capsys) == ("", "no models are embedded in this installation\n")
    out, err = listed(capsys, "--json")
    assert json.loads(out) == []
    assert err == "no models are embedded in this installation\n"


def test_the_table_is_aligned(embed, capsys):
    embed("starry-night")
    embed("two", mode="fixed", low=1, high=1, style_names=["a", "b", "c"], training={"steps": 5, "seconds": 61.5})
    out, err = listed(capsys)
    assert err == ""
    headings, starry, two = out.splitlines()
    cells = ["starry-night", "starry night", "0.35 to 2.8 (conditioned)", "256 px", "0.1 MB", "1200", "vgg19", "cuda:0",
             "11 min"]  # fmt: skip
    starts = [
        headings.index(title) for title in ("NAME", "PAINT", "STROKE", "REF", "SIZE", "STEPS", "LOSS", "DEV", "TIME")
    ]
    ends = [*starts[1:], None]
    assert [starry[start:end].strip() for start, end in zip(starts, ends, strict=True)] == cells
    assert [two[start:end].strip() for start, end in zip(starts, ends, strict=True)] == [
        "two", "a and 2 more", "1 (fixed)", "256 px", "0.1 MB", "5", "-", "-", "62 s"
    ]  # fmt: skip


def test_json_tells_everything_under_the_same_keys(embed, samples_dir, capsys):
    embed("starry-night")
    embed("untold", training={})
    both = json.loads(listed(capsys, "--json").out)
    assert [list(each) for each in both] == [KEYS, KEYS]
    path = samples_dir / "models" / "starry-night.safetensors"
    assert both[0] == {
        "name": "starry-night",
        "file": str(path),
        "bytes": path.stat().st_size,
        "style_names": ["starry night"],
        "stroke_mode": "conditioned",
        "stroke_min": 0.35,
        "stroke_max": 2.8,
        "reference_px": 256,
        **TRAINING,
    }
    assert [both[1][key] for key in TRAINING] == [None] * len(TRAINING)


def test_a_training_summary_of_other_things_is_left_out(embed, capsys):
    embed("odd", training={"steps": "many", "seconds": True, "lossnet": ["x"], "device": {}, "command": 7,
                           "painting": 3, "losses": [1], "control": "good"})  # fmt: skip
    assert [json.loads(listed(capsys, "--json").out)[0][key] for key in TRAINING] == [None] * len(TRAINING)
    embed("odd", training={"steps": -1, "seconds": 10**400, "lossnet": "\x1b[2J", "device": "d" * 99})
    out = listed(capsys).out
    assert r"-      \x1b[2J" in out
    assert f"  {'d' * 37}...  -\n" in out


def test_a_model_that_cannot_be_read_does_not_hide_the_others(embed, samples_dir, capsys):
    embed("starry-night")
    (samples_dir / "models" / "broken.safetensors").write_bytes(b"no model")
    out, err = listed(capsys, "--json", code=1)
    assert [each["name"] for each in json.loads(out)] == ["starry-night"]
    assert err.startswith(
        f"brushnet: error: {samples_dir}/models/broken.safetensors: damaged, cut off or not a model ("
    )
    assert err.count("\n") == 1
    assert "starry-night" in listed(capsys, code=1).out


def test_an_embedded_model_paints_by_its_name(embed, tmp_path, capsys):
    embed("starry-night")
    images.write(torch.rand(1, 3, 21, 30), tmp_path / "photo.png")
    assert cli.main(["stylize", "starry-night", "photo.png", "-o", "painted.png", "--stroke", "2"]) == 0
    assert images.read(tmp_path / "painted.png").shape == (1, 3, 21, 30)
    assert brushnet.load("starry-night").style_names == ("starry night",)


def test_a_misspelled_name_is_answered_with_the_nearest(embed, tmp_path, capsys):
    embed("starry-night")
    images.write(torch.rand(1, 3, 21, 30), tmp_path / "photo.png")
    assert cli.main(["stylize", "stary-night", "photo.png", "-o", "painted.png"]) == 2
    assert capsys.readouterr().err == (
        "brushnet: error: model 'stary-night' is neither a file nor embedded: did you mean starry-night? "
        "embedded are: starry-night; a path is allowed too\n"
    )
    assert not (tmp_path / "painted.png").exists()


def test_names_complete_as_the_first_word_of_stylize(embed):
    embed("starry-night")
    assert complete_in_bash("brushnet stylize sta") == ["starry-night"]
    assert complete_in_bash("brushnet stylize starry-night sta") == []
    assert complete_in_bash("brushnet models --j") == ["--json"]
    assert all("starry-night" in script(shell) for shell in ("zsh", "fish"))
    assert "starry-night" not in words_by_command()["stylize"]
