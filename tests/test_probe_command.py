"""`brushnet probe` end to end on small pictures, and everything that it refuses."""

import json
import math
import re

import pytest
import torch

from brushnet import cli, images, models
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from brushnet.probing import claim_detail, model_figures
from brushnet.probing import claims as claims_run
from tests.conftest import strokes_picture, vgg_state

SMALL = ["--widths", "4,8", "--size", "48", "--draws", "3"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A loss network and a painting in the current folder."""
    monkeypatch.chdir(tmp_path)
    torch.save(vgg_state(), "tiny.pth")
    images.write(images.to_float(strokes_picture(520, 640))[None], "painting.png")
    return tmp_path


@pytest.fixture
def save_model():
    def save(name, *, mode="conditioned", low=0.35, high=2.8, blocks=1, style="painting", reference_px=256):
        net = ResidualTransformer(width=4, blocks=blocks, stroke_embedding=8, styles=1)
        meta = ModelMeta.of(
            net, stroke_mode=mode, stroke_min=low, stroke_max=high, reference_px=reference_px, style_names=[style]
        )
        models.save(f"{name}.safetensors", net, meta)
        return f"{name}.safetensors"

    return save


@pytest.fixture
def small_claims(monkeypatch):
    """Few iterations, small photos, no real meter: what is tested is how the parts fit."""
    monkeypatch.setattr(claim_detail, "ITERATIONS", 2)
    monkeypatch.setattr(claims_run, "PHOTOS", claims_run.PHOTOS[:1])
    monkeypatch.setattr(claims_run, "MODEL_PX", 64)
    monkeypatch.setattr(claims_run, "DETAIL_PX", 48)
    monkeypatch.setattr(model_figures, "open_meters", lambda names, painting: [])
    monkeypatch.setattr(
        model_figures, "matched_figures", lambda picture, meters: {f"matched_octaves/{model_figures.ENCODER}": 0.5}
    )


def claims(*options, style="painting.png"):
    return probe("--claims", "--style", style, *SMALL, *options)


def probe(*options, lossnet="tiny.pth"):
    return cli.main(["probe", "--lossnet", lossnet, *options])


def test_plots_and_tables_are_written(folder, capsys):
    assert probe("-o", "out", *SMALL, "--json") == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "probe.csv", "probe.json", "probe.pdf", "probe.png",
    ]  # fmt: skip
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told == json.loads((folder / "out" / "probe.json").read_text())
    assert told["networks"][0]["lossnet"] == "tiny (114\N{MULTIPLICATION SIGN} compressed stand-in)"
    assert {row["observer"] for row in told["networks"][0]["rows"]} == {"relu1_1", "relu2_1", "relu3_1", "style loss"}
    assert all(row["d_prime_error"] >= 0 for row in told["networks"][0]["rows"])
    assert "d_prime_error" in (folder / "out" / "probe.csv").read_text().splitlines()[0].split(",")
    assert "relu3_1" in err
    assert images.read("out/probe.png").shape[-1] > 600


def test_a_painting_is_rescaled_and_another_network_gets_its_own_row(folder, capsys):
    torch.save(vgg_state((5, 7, 9)), "other.pth")
    assert probe("--lossnet", "other.pth", "--style", "painting.png", "-o", "out") == 0
    told = json.loads((folder / "out" / "probe.json").read_text())
    assert [network["unit"] for network in told["networks"]] == ["s", "s"]
    assert told["subjects"] == ["painting"]
    assert told["networks"][0]["rows"][-1]["wide"] == pytest.approx(520 / 256, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--widths", "4"], "--widths must be two numbers from 1 to 512, at least half an octave apart"),
        (["--widths", "8,9"], "--widths must be two numbers .* got 8,9"),
        (["--draws", "2"], "--draws must be at least 3"),
        (["--draws", "0"], "argument --draws: must be a whole number above 0, got 0"),
        (["--size", "100"], "--size must be at least 256 px, 4 times the widest strokes .64 px., got 100"),
        (["--size", "20000"], "--size must be at most 2048 px, got 20000"),
        (["--draws", "65"], "--draws must be at most 64 for 11 widths at --size 320, got 65"),
        (["--size", "2048", "--draws", "60"], "--draws must be at most 14 for 11 widths at --size 2048, got 60"),
        (
            ["--style", "painting.png", "--widths", "3,20"],
            "--widths is of painted strokes and means nothing to --style",
        ),
        (["--style", "painting.png", "--draws", "20"], "--draws is of painted .* --style, got --draws 20"),
        (["--style", "painting.png", "--size", "64"], "--size is of painted .* --style, got --size 64"),
        (["--style", "painting.png", "--seed", "0"], "--seed is of painted .* --style, got --seed 0"),
        (["--lossnet", "tiny.pth"], "--lossnet tiny.pth: tiny .114. compressed stand-in. is given twice; figures are"),
        (["--lossnet", "compact", "--lossnet", "compact"], "--lossnet compact: compact .* is given twice; figures are"),
        (["--style", "none.png"], "--style none.png cannot be read: picture not found: none.png"),
        (["--lossnet", "vgg99"], "--lossnet must be one of auto, compact, torchvision, vgg19, vgg16, or a weight file"),
        (["-o", "tiny.pth"], "-o tiny.pth: a file; give a folder"),
        (["-o", "a.png"], "-o a.png: give a folder, probe writes several files"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_written(options, message, folder, capsys):
    before = sorted(folder.iterdir())
    assert probe(*options) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert sorted(folder.iterdir()) == before


def test_the_help_says_what_rescaling_changes_besides_strokes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["probe", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "at each scale the picture is of another size, and what is depicted scales with the strokes" in told


def test_what_an_earlier_run_wrote_is_kept_unless_forced(folder, capsys):
    (folder / "probe").mkdir()
    (folder / "probe" / "probe.csv").write_text("mine")
    assert probe(*SMALL) == 2
    assert "probe.csv would be overwritten; pass --force" in capsys.readouterr().err
    assert (folder / "probe" / "probe.csv").read_text() == "mine"
    assert probe(*SMALL, "--force") == 0
    assert (folder / "probe" / "probe.csv").read_text() != "mine"


def test_claims_without_models_say_what_they_need(folder, small_claims, capsys):
    assert claims("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((folder / "claims" / "claims.json").read_text())
    verdicts = {claim["name"]: claim["verdict"] for claim in told["claims"]}
    assert list(verdicts) == ["a", "b", "c, loss network", "c, residual blocks", "d"]
    assert verdicts["b"] == verdicts["c, residual blocks"] == "not tested"
    table = (folder / "claims" / "claims.md").read_text()
    assert re.search(r"\| b \| .* \| \*\*not tested\*\* \| needs --models with a fixed one; ", table)
    assert table.count("\n- **") == 5
    for name, least_px in {"claims.png": 600, "probe.png": 300, "claim-d.jpg": 100}.items():
        assert min(images.read(folder / "claims" / name).shape[-2:]) > least_px
    assert probe("--claims", "--style", "painting.png", *SMALL) == 2
    assert "would be overwritten; pass --force" in capsys.readouterr().err


def test_claims_read_what_models_are_from_their_metadata(folder, small_claims, save_model):
    trained = [
        save_model("half", mode="fixed", low=0.5, high=0.5),
        save_model("mixed", mode="mixed"),
        save_model("told"),
        save_model("deep", blocks=2),
    ]
    assert claims("-o", "out", "--models", *trained) == 0
    told = {claim["name"]: claim for claim in json.loads((folder / "out" / "claims.json").read_text())["claims"]}
    assert [model["name"] for model in told["b"]["figures"]["models"]] == [
        "fixed 0.5, 1 blocks", "mixed 0.35-2.8, 1 blocks", "conditioned 0.35-2.8, 1 blocks",
        "conditioned 0.35-2.8, 2 blocks",
    ]  # fmt: skip
    assert all(claim["verdict"] != "not tested" for claim in told.values())
    assert set(told["d"]["figures"]) == {"optimised pictures", "trained models"}
    assert set(told["b"]["figures"]["models"][0]["as_is"]) == {"0.5", "0.71", "1.0", "1.41", "2.0"}


def test_a_photo_without_texture_is_left_out_of_the_measured_scale(folder, small_claims, save_model, monkeypatch):
    told = iter([math.nan, 1.0] * 100)
    name = f"matched_octaves/{model_figures.ENCODER}"
    monkeypatch.setattr(model_figures, "matched_figures", lambda picture, meters: {name: next(told)})
    monkeypatch.setattr(claims_run, "PHOTOS", ("sample:photos/cat", "sample:photos/temple"))
    models = [save_model("half", mode="fixed", low=0.5, high=0.5), save_model("told")]
    assert claims("--models", *models) == 0
    claim = next(
        each for each in json.loads((folder / "claims" / "claims.json").read_text())["claims"] if each["name"] == "b"
    )
    assert set(claim["figures"]["models"][0]["matched_octaves"].values()) == {1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "none.safetensors"], "none.safetensors: no such model file"),
        (
            ["--models", "other.safetensors"],
            "--models other.safetensors was trained on waves, not on painting; name its",
        ),
        (["--models", "small.safetensors"], "--models small.safetensors was trained with style.reference_px=64; the "),
        (["--content", "none"], "folder not found: none"),
        (["--style", "painting.png", "tiny.png"], "--claims takes one --style, .* got 2"),
        (["--style", "tiny.png"], "--style tiny.png is 96 px .* up to stroke scale 2, for which 512 px are needed"),
    ],
)
def test_claims_that_cannot_be_tested_are_refused(options, message, folder, save_model, capsys):
    save_model("other", style="waves")
    save_model("small", reference_px=64)
    images.write(images.to_float(strokes_picture())[None], "tiny.png")
    before = sorted(folder.iterdir())
    assert claims(*options) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert sorted(folder.iterdir()) == before


def test_options_of_the_claims_are_refused_without_them(capsys):
    assert probe("--models", "a.safetensors") == 2
    assert "--models belongs to --claims" in capsys.readouterr().err
    assert probe("--content", "photos") == 2
    assert "--content belongs to --claims" in capsys.readouterr().err
