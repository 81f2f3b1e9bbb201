"""`brushnet evaluate` end to end on small pictures, and everything that it refuses."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from brushnet import cli, images
from brushnet.build import build_spec
from brushnet.commands import evaluate as evaluate_command
from brushnet.config import Config
from brushnet.evaluation import painting_model
from brushnet.strokes import Painting
from tests.conftest import vgg_state

FILES = ["control.csv", "control.json", "control.png", "sheet.jpg"]


def evaluate(*options: str, model: str | None = "model.safetensors", style: str = "painting.png") -> int:
    named = [model, "--content", "photos"] if model else []
    return cli.main(["evaluate", *named, "--style", style, "--lossnet", "tiny.pth", *options])


@pytest.fixture(autouse=True)
def three_scales(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting_model, "DEFAULT_SCALES", 3)


def told(out: str = "out") -> dict:
    return json.loads(Path(out, "control.json").read_text())


def save_perfect(folder: str, pixels, *, scales: tuple[float, ...] = (0.5, 0.71, 1.0, 1.41)) -> None:
    """The pictures of a perfect painter: S_s itself."""
    painting = Painting(pixels, name="painting", reference_px=100)
    for scale in scales:
        images.write(painting.render(scale), Path(folder, f"a_s{scale}.png"))


def test_a_model_is_measured_at_every_photo_and_scale(save_model, place: Path, capsys) -> None:
    save_model()
    assert evaluate("-o", "out", "--sizes", "64", "--json") == 0
    assert sorted(path.name for path in Path("out").iterdir()) == FILES
    out, err = capsys.readouterr()
    found = told()
    assert json.loads(out) == found
    assert [(row["photo"], row["stroke"]) for row in found["rows"]] == [
        (photo, stroke) for photo in ("a", "b", "deep/c") for stroke in (0.5, 1.0, 2.0)
    ]
    assert (found["reference_px"], found["stroke_mode"], found["trained_range"]) == (100, "conditioned", [0.5, 2])
    assert (found["lossnet"], found["trained_by"]) == ("tiny.pth", "tiny.pth")
    (summary,) = found["summaries"]
    assert (summary["system"], summary["size_px"], summary["encoder"], summary["photos"]) == (
        "model",
        64,
        "steerable",
        3,
    )
    assert summary["resolution_drift_octaves"] is None
    for figure in ("slope", "style_loss", "content_distance_drift", "ssim", "palette_distance_drift"):
        assert isinstance(summary[figure], float), figure
    assert err.endswith("written: out/control.csv, out/control.png, out/sheet.jpg, out/control.json\n")
    assert "steerable is" not in err


def test_losses_are_those_of_the_default_configuration_unweighted() -> None:
    """build_spec, which is not imported for it, says the same."""
    default = replace(build_spec(Config()), content_follows_stroke=False, spectrum_weight=0.0, grid_weight=0.0)
    assert evaluate_command._spec() == replace(default, style_weight=1.0, content_weight=1.0, tv_weight=0.0)


def test_the_table_of_pictures_says_what_json_says(save_model) -> None:
    save_model()
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1") == 0
    with Path("out/control.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in told()["rows"]] == rows


def test_the_sheet_holds_photos_and_pictures_side_by_side(save_model) -> None:
    save_model()
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "2") == 0
    height, width = images.read("out/sheet.jpg").shape[-2:]
    assert width > 4 * 64  # the photo and three scales
    assert height > 3 * 64  # the painting's strokes and two photos


def test_every_size_has_its_summary_with_the_drift_from_the_first(save_model) -> None:
    save_model()
    assert evaluate("-o", "out", "--sizes", "64,96", "--photos", "1", "--plots", "pdf,svg") == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "control.csv", "control.json", "control.pdf", "control.svg", "sheet.jpg",
    ]  # fmt: skip
    first, second = told()["summaries"]
    assert (first["size_px"], second["size_px"]) == (64, 96)
    assert first["resolution_drift_octaves"] is None
    assert second["resolution_drift_octaves"] >= 0


def test_several_encoders_give_several_columns(save_model, capsys) -> None:
    save_model(lossnet="compact")
    options = ["--encoder", "compact", "--encoder", "steerable"]
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1", *options) == 0
    assert [(each["name"], each["kinship"]) for each in told()["encoders"]] == [
        ("compact", "own"), ("steerable", "independent"),
    ]  # fmt: skip
    assert [each["encoder"] for each in told()["summaries"]] == ["compact", "steerable"]
    assert {"matched_octaves/compact", "distance/steerable"} <= set(told()["rows"][0])
    err = capsys.readouterr().err
    assert "compact is the network that model was trained by: what it measures flatters the model" in err
    assert "steerable is" not in err


def test_whether_a_network_is_independent_is_told(save_model, capsys) -> None:
    save_model(lossnet="torchvision vgg19")
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1", "--encoder", "compact") == 0
    assert "compact is a relative of torchvision vgg19, that model was trained by" in capsys.readouterr().err


def test_pictures_of_a_perfect_painter_have_slope_one_and_no_style_loss(strokes_pixels, capsys) -> None:
    save_perfect("perfect", strokes_pixels)
    assert evaluate("--pictures", "perfect", "-o", "out", "--reference-px", "100", model=None) == 0
    (summary,) = told()["summaries"]
    assert summary["slope"] == pytest.approx(1, abs=0.05)
    assert summary["mean_absolute_error_octaves"] < 0.05
    assert summary["usable_octaves"] == pytest.approx(math.log2(1.41 / 0.5))
    assert summary["style_loss"] < 0.01
    assert summary["palette_distance"] < 0.02
    assert summary["content_distance"] is None
    assert summary["at_ends"] == 0
    assert (told()["model"], told()["trained_range"]) == (None, None)
    assert "perfect  steerable  1.0" in capsys.readouterr().err.replace("0.99", "1.0")


def test_pictures_beyond_what_can_be_told_are_counted(strokes_pixels, capsys) -> None:
    save_perfect("perfect", strokes_pixels, scales=(0.5, 2.0))
    largest = Painting(strokes_pixels, name="painting", reference_px=100).render(2.0)
    images.write(images.resize(largest, 320, 400), "large/a_s2.2.png")
    options = ("--pictures", "large", "--pictures", "perfect", "-o", "out", "--reference-px", "100")
    assert evaluate(*options, model=None) == 0
    large, perfect = told()["summaries"]
    assert (large["at_ends"], perfect["at_ends"]) == (1, 0)
    assert large["mean_absolute_error_octaves"] < 0.25
    assert (large["usable_from_octaves"], perfect["usable_from_octaves"]) == (None, -1)
    err = capsys.readouterr().err
    assert "1 of 3 pictures lie at an end of what steerable can tell, s = 0.42 to 2.38" in err
    assert "rank: within each photo; usable: rising, the photos' mean error at most 0.25 at each request, none" in err


@pytest.mark.parametrize("out", ["perfect/out", "perfect"])
def test_pictures_are_evaluated_again_with_the_output_among_them(strokes_pixels, out: str) -> None:
    save_perfect("perfect", strokes_pixels, scales=(0.5, 1.0))
    options = ("--pictures", "perfect", "-o", out, "--reference-px", "100", "--force")
    assert evaluate(*options, model=None) == 0
    first = told(out)["summaries"]
    assert evaluate(*options, model=None) == 0
    assert told(out)["summaries"] == first


def test_pictures_stand_beside_the_model_and_find_their_photos(save_model, strokes_pixels) -> None:
    save_model()
    save_perfect("perfect", strokes_pixels)
    assert evaluate("--pictures", "better=perfect", "-o", "out", "--sizes", "64", "--photos", "1") == 0
    model, better = told()["summaries"]
    assert (model["system"], better["system"], better["size_px"]) == ("model", "better", None)
    assert better["slope"] > model["slope"]
    assert better["content_distance"] > 0


def test_a_fixed_model_is_measured_at_its_own_stroke_over_all_requests(save_model, capsys, caplog) -> None:
    save_model(mode="fixed", low=1.0, high=1.0)
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1") == 0
    assert "paints with its own stroke 1 whatever is asked" in caplog.text
    (summary,) = told()["summaries"]
    assert summary["slope"] == pytest.approx(0, abs=1e-6)
    assert [row["seen"] for row in told()["rows"]] == [False, True, False]
    assert len({row["matched_octaves/steerable"] for row in told()["rows"]}) == 1


def test_unseen_scales_are_marked_and_their_error_told_apart(save_model) -> None:
    save_model(low=0.5, high=1.0)
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1", "--scales", "1.8,0.5,1") == 0
    assert [(row["stroke"], row["seen"]) for row in told()["rows"]] == [(0.5, True), (1, True), (1.8, False)]
    assert told()["summaries"][0]["unseen_error_octaves"] is not None


def test_damaged_photos_are_skipped_counted_and_reported(save_model, capsys) -> None:
    save_model()
    Path("photos/b.png").write_text("no picture")
    assert evaluate("-o", "out", "--sizes", "64") == 0
    assert told()["skipped"] == [{"file": "photos/b.png", "cause": "not a picture, or of an unknown kind"}]
    assert {row["photo"] for row in told()["rows"]} == {"a", "deep/c"}
    assert "1 skipped:\nphotos/b.png: not a picture" in capsys.readouterr().err


def test_damaged_and_tiny_pictures_are_skipped_too(strokes_pixels) -> None:
    save_perfect("perfect", strokes_pixels)
    Path("perfect/b_s1.png").write_text("no picture")
    images.write(images.read("photos/a.png")[..., :12, :12], "perfect/c_s1.png")
    assert evaluate("--pictures", "perfect", "-o", "out", "--reference-px", "100", model=None) == 0
    damaged, tiny = told()["skipped"]
    assert damaged["file"] == "perfect/b_s1.png"
    assert "too small to be measured" in tiny["cause"]


def test_an_earlier_evaluation_is_kept_unless_forced(save_model, capsys) -> None:
    save_model()
    options = ("-o", "out", "--sizes", "64", "--photos", "1", "--scales", "1")
    assert evaluate(*options) == 0
    before = Path("out/control.json").read_bytes()
    assert evaluate(*options) == 2
    assert "would be overwritten; pass --force to allow it" in capsys.readouterr().err
    assert Path("out/control.json").read_bytes() == before
    assert evaluate(*options, "--force") == 0


def test_without_an_output_the_folder_is_called_after_the_model(save_model) -> None:
    save_model("waves.safetensors")
    assert evaluate("--sizes", "64", "--photos", "1", "--scales", "1", model="waves.safetensors") == 0
    assert Path("control-waves/control.json").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scales", "1,x"], "--scales must be numbers above 0 with commas between (0.5,1,2), got 1,x"),
        (["--scales", "0"], "--scales must be numbers above 0 with commas between (0.5,1,2), got 0"),
        (["--scales", "1,inf"], "--scales must be numbers above 0 with commas between (0.5,1,2), got 1,inf"),
        (["--scales", "0.1"], "--scales 0.1 shrinks the painting to 10 px; at least 32 px are needed: 0.32 or more"),
        (["--scales", "1,1e9"], "--scales must be from 0.015625 to 64 with commas between, got 1e+09"),
        (["--scales", "0.01"], "--scales must be from 0.015625 to 64 with commas between, got 0.01"),
        (
            ["--scales", "1,9"],
            "--scales 9 enlarges painting, 200 px on its short side, 4.5 times; at most 4 times is allowed: 8 or less",
        ),
        (["--pictures", "huge"], "--pictures huge: scale 12 enlarges painting, 200 px on its short side, 6.0 times"),
        (["--sizes", "64,big"], "--sizes must be whole numbers of px with commas between (512,1024), got 64,big"),
        (["--sizes", "5000"], "--sizes must be from 64 to 4096 px with commas between, got 5000"),
        (["--photos", "0"], "argument --photos: must be a whole number above 0, got 0"),
        (["--plots", "png,gif"], "--plots must be of png, pdf, svg with commas between, got gif"),
        (["--lpips", "x.pth"], "--lpips HEAD and --squeezenet BACKBONE belong together: give both files, or neither"),
        (["--lpips", "x.pth", "--squeezenet", "y.pth"], "--lpips x.pth: no such file; a file of weights is needed"),
        (["--encoder", "none"], "--encoder none: no such file"),
        (["--encoder", "compact", "--encoder", "compact"], "--encoder compact is given twice"),
        (["--lossnet", "none"], "--lossnet must be one of auto, compact"),
        (
            ["--lossnet", "shallow.pth"],
            "--lossnet: shallow.pth has no layer 'relu3_1'; its layers are relu1_1, relu2_1",
        ),
        (["--reference-px", "64"], "--reference-px must be 100, which model.safetensors was trained with, or be left"),
        (["--content", "nowhere"], "folder not found: nowhere"),
        (["--content", "empty"], "--content empty: at least one readable photo is needed of .jpg, .jpeg, .png"),
        (["--content", "broken"], "at least one readable photo is needed; broken/x.png: not a picture"),
        (["--style", "none.png"], "--style none.png cannot be read: picture not found: none.png"),
        (["--style", "flat.png"], "--style flat.png is all of one colour; a painting with brushstrokes is needed"),
        (["--pictures", "nowhere"], "--pictures nowhere: no such folder; give DIR or NAME=DIR"),
        (["--pictures", "photos"], "photos/a.png tells no stroke scale from 0.015625 to 64; name pictures by"),
        (["--pictures", "model=scaled"], "--pictures: two systems are called model; give another name with NAME=DIR"),
        (["--pictures", "tiny"], "--pictures tiny: scale 0.2 shrinks the painting to 20 px; at least 32 px are needed"),
        (["--device", "tpu"], "--device tpu is not on this machine"),
        (["-o", "out.png"], "-o out.png: several files are written; give a folder"),
        (["-o", "painting.png"], "-o painting.png: several files are written; give a folder"),
    ],
)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_written(save_model, place, capsys, options, message) -> None:
    save_model()
    torch.save(vgg_state((6, 8)), "shallow.pth")
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/x.png").write_text("no picture")
    images.write(images.read("painting.png") * 0 + 0.5, "flat.png")
    images.write(images.read("painting.png"), "scaled/a_s1.png")
    images.write(images.read("painting.png"), "tiny/a_s0.2.png")
    images.write(images.read("painting.png"), "huge/a_s12.png")
    before = sorted(place.rglob("*"))
    out = [] if "-o" in options else ["-o", "out"]
    assert evaluate(*out, "--sizes", "64", *options) == 2
    stdout, err = capsys.readouterr()
    assert stdout == ""
    assert err.startswith("brushnet: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out.png"], "-o out.png: several files are written; give a folder"),
        (["-o", "control.JSON"], "-o control.JSON: several files are written; give a folder"),
        (["-o", "control.csv"], "-o control.csv: several files are written; give a folder"),
        (["-o", "control.svg"], "-o control.svg: several files are written; give a folder"),
        (["-o", "tiny.pth"], "-o tiny.pth: several files are written; give a folder"),
        (["-o", "full"], "full/control.json would be overwritten; pass --force to allow it"),
        (["--lossnet", "none"], "--lossnet must be one of auto, compact, torchvision, vgg19, vgg16, or a weight file"),
        (["--encoder", "steerable", "--encoder", "steerable"], "--encoder steerable is given twice; figures are told"),
        (["--encoder", "tiny.pth", "--encoder", "./tiny.pth"], "--encoder tiny is given twice; figures are told apart"),
    ],
)
def test_what_is_wrong_by_itself_is_said_before_a_model_or_photo_is_opened(place, capsys, options, message) -> None:
    Path("full").mkdir()
    Path("full/control.json").write_text("{}")
    assert evaluate(*options, "--content", "nowhere", model="none.safetensors", style="none.png") == 2
    assert message in capsys.readouterr().err
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to evaluate: give a MODEL, or pictures of another system with --pictures DIR"),
        (["model.safetensors"], "--content DIR is needed: the photos that MODEL is to paint"),
        (["--pictures", "x", "--style-name", "a"], "--style-name a belongs to a MODEL; pictures have no paintings to"),
        (["--pictures", "x", "--scales", "1"], "--scales belongs to a MODEL; pictures have the scales and sizes that"),
        (["--pictures", "x", "--sizes", "64"], "--sizes belongs to a MODEL; pictures have the scales and sizes that"),
    ],
)
def test_what_belongs_together_is_asked_for_together(place, capsys, arguments, message) -> None:
    assert cli.main(["evaluate", *arguments, "--style", "painting.png"]) == 2
    assert message in capsys.readouterr().err


def test_a_model_of_several_paintings_is_asked_by_the_name_of_the_file(save_model, capsys) -> None:
    save_model(styles=("waves", "painting"))
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1", "--scales", "1") == 0
    save_model(styles=("waves", "stars"))
    assert evaluate("-o", "new", "--sizes", "64") == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert (
        "--style painting.png: style must be one of waves, stars, got 'painting'; --style-name NAME says which" in told
    )


def test_a_painting_in_a_file_of_another_name_is_named(save_model, capsys, caplog) -> None:
    save_model(styles=("waves", "stars"))
    options = ("--sizes", "64", "--photos", "1", "--scales", "1")
    assert evaluate("-o", "waves", *options, "--style-name", "waves") == 0
    assert evaluate("-o", "stars", *options, "--style-name", "stars") == 0
    waves, stars = (json.loads(Path(name, "control.json").read_text()) for name in ("waves", "stars"))
    assert (waves["style_name"], stars["style_name"]) == ("waves", "stars")
    assert waves["rows"] != stars["rows"]
    assert "is not what" not in caplog.text
    assert evaluate("-o", "new", "--style-name", "wave") == 2
    assert (
        "--style-name wave: style must be one of waves, stars, got 'wave'; did you mean waves?\n"
        in capsys.readouterr().err
    )


def test_a_painting_that_is_not_the_models_own_is_taken_with_a_warning(save_model, caplog) -> None:
    save_model()
    options = ("--sizes", "64", "--photos", "1", "--scales", "1")
    assert evaluate("-o", "own", *options) == 0
    assert "is not what" not in caplog.text
    Path("painting.png").rename("waves.png")
    assert evaluate("-o", "out", *options, style="waves.png") == 0
    (warning,) = [record for record in caplog.records if "is not what" in record.message]
    assert warning.levelname == "WARNING"
    assert warning.message == (
        "--style waves.png is not what model learned (painting) by its name: strokes are measured against another "
        "painting, unless --style-name painting says that it is the same"
    )
    caplog.clear()
    assert evaluate("-o", "same", *options, "--style-name", "painting", style="waves.png") == 0
    assert "is not what" not in caplog.text


def test_what_is_too_large_for_the_memory_is_skipped(save_model, monkeypatch, capsys) -> None:
    save_model()

    def refuse(*args, **kwargs):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("brushnet.models.StyleModel.__call__", refuse)
    assert evaluate("-o", "out", "--sizes", "64", "--photos", "1") == 1
    assert "nothing could be measured: photos/a.png: at 64 px too large for the memory" in capsys.readouterr().err


def test_progress_goes_to_standard_error(save_model, monkeypatch, capsys) -> None:
    save_model()
    monkeypatch.setattr("brushnet.commands.progress.PLAIN_EVERY_S", 0)
    assert evaluate("-o", "out", "--sizes", "64", "--scales", "1") == 0
    assert "1/3 pictures, " in capsys.readouterr().err
