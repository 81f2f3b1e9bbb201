"""`brushnet baseline` end to end on small pictures, and everything that it refuses."""

import json

import pytest
import torch

from brushnet import cli, images, models
from brushnet.commands.baseline import METHODS, STYLE_WEIGHT
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from tests.conftest import strokes_picture, vgg_state


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A photo, a painting and a loss network in the current folder."""
    monkeypatch.chdir(tmp_path)
    coarse = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(1))
    images.write(images.resize(coarse, 48, 64), "photo.png")
    images.write(images.to_float(strokes_picture())[None], "painting.png")
    torch.save(vgg_state(), "tiny.pth")
    return tmp_path


@pytest.fixture
def save_model():
    def save(path="model.safetensors", *, mode="conditioned", low=0.5, high=2.0, styles=("painting",)):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=len(styles))
        meta = ModelMeta.of(
            net, stroke_mode=mode, stroke_min=low, stroke_max=high, reference_px=64, style_names=list(styles)
        )
        models.save(path, net, meta)
        return path

    return save


def baseline(method, out, *options, content="photo.png", style="painting.png", lossnet="tiny.pth", reference="64"):
    flags = ["--lossnet", lossnet, *(["--reference-px", reference] if reference else [])]
    return cli.main(["baseline", method, content, style, "-o", str(out), *flags, *options])


@pytest.mark.parametrize("method", METHODS[:-1])
def test_each_method_writes_a_picture_of_its_own(method, folder, capsys):
    assert baseline(method, "new/out.png", "--iterations", "4") == 0
    found = images.read("new/out.png")
    assert found.shape == (1, 3, 48, 64)
    assert (found - images.read("photo.png")).abs().mean() > 0.02
    out, err = capsys.readouterr()
    assert out == ""
    assert f"\n{method} " in err
    assert err.endswith("written: new/out.png\n")
    assert sorted(path.name for path in (folder / "new").iterdir()) == ["out.png"]


def test_the_methods_differ():
    for method in METHODS[:-1]:
        assert baseline(method, f"{method}.png", "--iterations", "6") == 0
    one, two, three = (images.read(f"{method}.png") for method in METHODS[:-1])
    # A photo of 48 px leaves the pyramid one scale, 1: without coarser ones it is moments.
    assert torch.equal(one, two)
    assert (one - three).abs().mean() > 0.02
    assert baseline("pyramid", "scales.png", "--iterations", "6", "--scales", "1,1.5") == 0
    assert (images.read("scales.png") - one).abs().mean() > 0.01


def test_output_without_suffix_is_a_folder(folder):
    assert baseline("moments", "out", "--iterations", "1") == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["moments.png"]


def test_all_writes_pictures_sheet_and_figures(folder, save_model):
    save_model()
    assert baseline("all", "out", "--iterations", "8", "--model", "model.safetensors", reference=None) == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "baselines.json", "features.png", "model.png", "moments.png", "pyramid.png", "sheet.jpg",
    ]  # fmt: skip
    assert images.read("out/sheet.jpg").shape[-1] > 6 * 300
    told = json.loads((folder / "out" / "baselines.json").read_text())
    assert [each["name"] for each in told["methods"]] == ["photo", "moments", "pyramid", "features", "model"]
    assert (told["reference_px"], told["stroke"], told["lossnet"]) == (64, 1.0, "tiny.pth")
    assert told["style_weight"] == STYLE_WEIGHT
    features = told["methods"][3]
    assert features["ratio_to_features"] == {"style": 1.0, "content": 1.0, "total": 1.0, "seconds": 1.0}
    assert features["total_loss"] < told["methods"][0]["total_loss"]
    assert told["methods"][4]["seconds"] > 0


def test_all_with_one_picture_writes_the_sheet_and_the_figures_beside_it(folder):
    before = set(folder.iterdir())
    assert baseline("all", "sheet.png", "--iterations", "2") == 0
    assert {path.name for path in set(folder.iterdir()) - before} == {"sheet.png", "sheet.json"}
    told = json.loads((folder / "sheet.json").read_text())
    assert [each["name"] for each in told["methods"]] == ["photo", "moments", "pyramid", "features"]
    assert told["model"] is None


def test_a_model_of_another_stroke_brings_it_along(folder, save_model):
    save_model(mode="fixed", low=1.5, high=1.5)
    assert baseline("all", "out", "--iterations", "1", "--model", "model.safetensors", reference=None) == 0
    assert json.loads((folder / "out" / "baselines.json").read_text())["stroke"] == 1.5


def test_same_seed_same_bytes_other_seed_others(folder):
    for name, seed in [("a.png", "1"), ("b.png", "1"), ("c.png", "2")]:
        assert baseline("features", name, "--iterations", "3", "--seed", seed) == 0
    one, again, other = ((folder / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert one == again != other


def test_large_photos_are_shrunk_and_small_ones_stay(folder):
    for size, shape in [("40", (1, 3, 40, 53)), ("500", (1, 3, 48, 64))]:
        assert baseline("moments", "out.png", "--iterations", "1", "--size", size, "--force") == 0
        assert images.read("out.png").shape == shape


def test_progress_goes_to_standard_error(monkeypatch, capsys):
    monkeypatch.setattr("brushnet.commands.progress.PLAIN_EVERY_S", 0)
    assert baseline("features", "out.png", "--iterations", "3") == 0
    assert "1/3 iterations, " in capsys.readouterr().err


def test_a_painting_that_must_be_enlarged_is_said(capsys, caplog):
    assert baseline("features", "out.png", "--iterations", "1", "--stroke", "3") == 0
    assert "painting.png is 96 px on its short side; stroke scales above 1.50 enlarge it" in caplog.text


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("moments", ["--stroke", "2"], "--stroke belongs to features and all, not to moments"),
        ("moments", ["--scales", "1,2"], "--scales belongs to pyramid and all, not to moments"),
        ("features", ["--weights", "1,1"], "--weights belongs to pyramid and all, not to features"),
        ("pyramid", ["--style-weight", "1"], "--style-weight belongs to features and all, not to pyramid"),
        ("pyramid", ["--style-weights", "1"], "--style-weights belongs to features and all, not to pyramid"),
        ("moments", ["--seed", "0"], "--seed belongs to features and all, not to moments"),
        ("features", ["--model", "m"], "--model belongs to all, not to features"),
        ("pyramid", ["--scales", "1,x"], "--scales must be numbers above 0 with commas between, got 1,x"),
        ("pyramid", ["--scales", "1,0"], "--scales must be numbers above 0 with commas between, got 1,0"),
        ("pyramid", ["--scales", "1,inf"], "--scales must be numbers above 0 with commas between, got 1,inf"),
        ("pyramid", ["--scales", "1,1"], "--scales must differ from each other, got 1,1"),
        ("pyramid", ["--weights", "1"], "--weights needs --scales: one weight for each"),
        (
            "pyramid",
            ["--scales", "1", "--weights", "1,1"],
            "--weights must be one number for each of the 1 scales, got 2",
        ),
        (
            "pyramid",
            ["--scales", "1", "--weights", "2"],
            "--weights must be numbers from 0 to 1 with commas between, got 2",
        ),
        (
            "pyramid",
            ["--scales", "1,4"],
            "--scales 4 shrinks the photo to 12 px; at most 1.5 fits a photo of 48 px (see --size)",
        ),
        ("features", ["--layers", "relu1_1,"], "--layers must be different names with commas between"),
        ("features", ["--layers", "relu1_1,relu1_1"], "--layers must be different names with commas between"),
        (
            "features",
            ["--layers", "relu9_1"],
            "--layers: tiny.pth has no layer 'relu9_1'; its layers are relu1_1, relu2_1",
        ),
        (
            "moments",
            ["--content-layer", "conv"],
            "--content-layer: tiny.pth has no layer 'conv'; its layers are relu1_1",
        ),
        ("features", ["--style-weights", "1,2"], "--style-weights must be one number for each of the 3 layers, got 2"),
        ("features", ["--style-weights", "1,-1,1"], "--style-weights must be numbers above 0 with commas between"),
        ("features", ["--stroke", "0"], "--stroke: must be a number above 0, got 0"),
        (
            "features",
            ["--stroke", "0.25"],
            "--stroke 0.25 shrinks the painting to 16 px; --stroke times --reference-px",
        ),
        ("features", ["--iterations", "0"], "--iterations: must be a whole number above 0, got 0"),
        ("features", ["--seed", "x"], "--seed: invalid int value: 'x'"),
        ("features", ["--size", "20"], "--size 20: at least 32 px on the short side are needed"),
        ("features", ["--device", "tpu"], "--device tpu is not on this machine"),
        ("all", ["--model", "gone.ckpt"], "gone.ckpt: no such model file or run folder"),
        ("wavelets", [], "invalid choice: 'wavelets'"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(method, options, message, folder, capsys):
    before = sorted(folder.iterdir())
    assert baseline(method, "out", *options) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"content": "gone.jpg"}, "CONTENT: picture not found: gone.jpg"),
        ({"style": "gone.jpg"}, "STYLE: picture not found: gone.jpg"),
        ({"content": "tiny.pth"}, "CONTENT tiny.pth cannot be read: not a picture, or of an unknown kind"),
        ({"style": "tiny.pth"}, "STYLE tiny.pth cannot be read: not a picture, or of an unknown kind"),
        ({"content": "small.png"}, "CONTENT is 40 x 20 px: at least 32 px on the short side are needed"),
        ({"style": "grey.png"}, "STYLE grey.png is all of one colour; a painting with brushstrokes is needed"),
        ({"style": "sample:gone"}, "sample:gone: no such sample"),
        (
            {"lossnet": "vgg99"},
            "--lossnet must be one of auto, compact, torchvision, vgg19, vgg16, or a weight file, got vgg99",
        ),
        ({"lossnet": "photo.png"}, "photo.png cannot be read as weights"),
        ({"reference": "20"}, "--stroke 1 shrinks the painting to 20 px"),
    ],
)
def test_a_wrong_file_is_one_line_and_nothing_is_written(named, message, folder, capsys):
    images.write(torch.rand(1, 3, 20, 40), "small.png")
    images.write(torch.full((1, 3, 64, 64), 0.5), "grey.png")
    before = sorted(folder.iterdir())
    assert baseline("features", "out", **named) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_a_reference_that_is_not_the_models_is_refused(save_model, capsys):
    save_model()
    assert baseline("all", "out", "--model", "model.safetensors", reference="100") == 2
    assert "--reference-px must be 64, which model.safetensors was trained with, or be left out, got 100" in (
        capsys.readouterr().err
    )


def test_of_several_paintings_the_one_named_like_the_file_is_painted(save_model, capsys):
    save_model("two.safetensors", styles=("other", "painting"))
    assert baseline("all", "out", "--iterations", "1", "--model", "two.safetensors", reference=None) == 0
    save_model("none.safetensors", styles=("a", "b"))
    assert baseline("all", "new", "--model", "none.safetensors", reference=None) == 2
    assert "style must be one of a, b, got 'painting'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "out", "message"),
    [
        ("moments", "photo.png", "-o photo.png would overwrite the input photo.png; choose another"),
        ("moments", "painting.png", "-o painting.png would overwrite the input painting.png; choose another"),
        ("moments", "old.png", "old.png would be overwritten; pass --force to allow it"),
        ("all", "new.png", "new.json would be overwritten; pass --force to allow it"),
        ("moments", "out.gif", "-o out.gif: .gif cannot be written, allowed are .jpg"),
        ("moments", "tiny.pth", "-o tiny.pth: a file; give a folder, or a picture"),
    ],
)
def test_nothing_is_overwritten(method, out, message, folder, capsys):
    (folder / "old.png").write_bytes(b"old")
    (folder / "new.json").write_bytes(b"old")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert baseline(method, out, "--iterations", "1") == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_force_overwrites(folder):
    (folder / "old.png").write_bytes(b"old")
    assert baseline("moments", "old.png", "--iterations", "1", "--force") == 0
    assert images.read("old.png").shape == (1, 3, 48, 64)
