"""`brushnet measure`: what it says of pictures, folders and damaged files, in text and as JSON."""

import json
import math
import os
from pathlib import Path

import pytest
import torch

from brushnet import cli, images
from brushnet.measure import meters, width
from brushnet.measure.known_widths import known_width
from brushnet.measure.matched import Match
from brushnet.measure.painter import noise_photo, paint
from tests.test_cli import HEAVY, brushnet
from tests.test_completion import complete_in_bash

KEYS = ["file", "stroke_px", "stroke_clear", "stroke_px_spread", "octave_profile", "matched_octaves", "matched_scale",
        "confidence", "match_distance", "encoders", "reason"]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def bars():
    return known_width("bars", 160, stroke_px=8, seed=1)


@pytest.fixture
def pictures(bars):
    """A folder of three: bars of 8 px, a single colour, and a file that is no picture."""
    images.write(bars, "pictures/bars.png")
    images.write(torch.full((1, 3, 60, 80), 0.4), "pictures/deep/grey.png")
    with open("pictures/broken.png", "wb") as file:
        file.write(b"no picture")


def measured(capsys, *arguments, code=0):
    assert cli.main(["measure", *arguments]) == code
    return capsys.readouterr()


def test_the_table_is_aligned_and_says_what_cannot_be_measured(pictures, capsys):
    out, err = measured(capsys, "pictures/bars.png", "pictures/deep")
    assert err == ""
    headings, bars, grey = out.splitlines()
    column = headings.index("STROKE")
    assert headings.startswith("PICTURE ")
    assert bars.startswith("pictures/bars.png ")
    assert float(bars[column:].split()[0]) == pytest.approx(8, rel=0.1)
    assert bars.rstrip().endswith(" %")
    assert grey[column:].split("  ")[:2] == ["nothing to measure", "a single colour"]
    assert "SCALE" not in headings


def test_json_has_the_same_keys_for_every_picture_and_null_where_there_is_nothing(pictures, capsys):
    bars, grey = json.loads(measured(capsys, "pictures/bars.png", "pictures/deep", "--json").out)
    assert list(bars) == list(grey) == KEYS
    assert bars["file"] == "pictures/bars.png"
    assert bars["stroke_px"] == pytest.approx(8, rel=0.1)
    assert bars["stroke_px_spread"][0] <= bars["stroke_px_spread"][1]
    assert sum(bars["octave_profile"]) == pytest.approx(1, abs=1e-3)
    assert bars["reason"] is None
    for key in ("matched_octaves", "matched_scale", "confidence", "match_distance"):
        assert bars[key] is None
    assert grey["stroke_px"] is grey["stroke_px_spread"] is None
    assert grey["reason"] == "a single colour"


def test_a_damaged_file_is_reported_and_the_others_are_measured(pictures, capsys):
    out, err = measured(capsys, "pictures", "--json", code=1)
    entries = {each["file"]: each for each in json.loads(out)}
    assert list(entries) == ["pictures/bars.png", "pictures/broken.png", "pictures/deep/grey.png"]
    assert entries["pictures/bars.png"]["stroke_px"] == pytest.approx(8, rel=0.1)
    assert entries["pictures/broken.png"]["reason"] == "not a picture, or of an unknown kind"
    assert entries["pictures/broken.png"]["stroke_px"] is None
    assert err == "1 failed:\npictures/broken.png: not a picture, or of an unknown kind\n"
    out, err = measured(capsys, "pictures/broken.png", code=1)
    assert out == ""
    assert err.startswith("1 failed:\n")


def test_a_link_that_leads_to_itself_is_reported(pictures, capsys):
    os.symlink("loop.jpg", "pictures/loop.jpg")
    _, err = measured(capsys, "pictures/deep", "pictures", code=1)
    assert "pictures/loop.jpg (Too many levels of symbolic links)\n" in err


def test_a_picture_given_twice_is_measured_once(pictures, capsys):
    assert len(json.loads(measured(capsys, "pictures/deep", "pictures/deep/grey.png", "--json").out)) == 1


def test_a_sample_is_measured_by_its_name(capsys):
    (entry,) = json.loads(measured(capsys, "sample:painted-small", "--json").out)
    assert entry["stroke_px"] == pytest.approx(18, rel=0.15)


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(capsys):
    images.write(torch.zeros(1, 3, 40, 40), "a\x1b[2Jb.png")
    out = measured(capsys, "a\x1b[2Jb.png").out
    assert "\x1b" not in out
    assert r"a\x1b[2Jb.png" in out


def test_the_end_of_a_long_name_is_shown(capsys):
    name = "x" * 60 + "-end.png"
    images.write(torch.zeros(1, 3, 40, 40), name)
    assert measured(capsys, name).out.splitlines()[1].startswith("..." + name[-37:] + "  ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "input not found: none.png; give pictures or folders"),
        (["empty"], "empty: no pictures in this folder (looked for .jpg"),
        (["a.png", "--style", "none.png"], "--style none.png: no such picture"),
        (["a.png", "--style", "empty"], "--style empty: no such picture"),
        (["a.png", "--reference-px", "128"], "--reference-px needs --style: without a painting there is nothing"),
        (["a.png", "--encoder", "compact"], "--encoder needs --style: without a painting there is nothing"),
        (["a.png", "--style", "a.png", "--reference-px", "0"], "--reference-px: must be a whole number above 0, got 0"),
        (
            ["a.png", "--style", "a.png", "--encoder", "vgg9"],
            "--encoder vgg9: no such file, nor one of steerable, compact",
        ),
        (["a.png", "--styl", "a.png"], "unrecognized arguments: --styl a.png; did you mean --style?"),
        ([], "the following arguments are required: IMAGE"),
    ],
)
def test_a_wrong_request_is_answered_in_one_line(folder, capsys, arguments, message):
    (folder / "empty").mkdir()
    images.write(torch.zeros(1, 3, 40, 40), "a.png")
    out, err = measured(capsys, *arguments, code=2)
    assert out == ""
    assert err.startswith("brushnet: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.fixture
def painting():
    images.write(paint(noise_photo(200, 240), stroke_px=12), "painting.png")


def test_with_a_painting_the_scale_is_told_with_its_confidence(painting, capsys):
    images.write(images.resize(images.read("painting.png"), 140, 168), "smaller.png")
    images.write(torch.full((1, 3, 150, 150), 0.5), "grey.png")
    command = ["smaller.png", "grey.png", "--style", "painting.png", "--reference-px", "100"]
    smaller, grey = json.loads(measured(capsys, *command, "--json").out)
    low, high = smaller["confidence"]
    assert low <= smaller["matched_octaves"] <= high
    assert smaller["matched_octaves"] == pytest.approx(0.485, abs=0.15)
    assert smaller["matched_scale"] == pytest.approx(2 ** smaller["matched_octaves"], abs=1e-3)
    assert list(smaller["encoders"]) == ["steerable"]
    assert smaller["encoders"]["steerable"]["matched_octaves"] == smaller["matched_octaves"]
    assert grey["matched_octaves"] is grey["confidence"] is grey["match_distance"] is None
    assert grey["encoders"]["steerable"]["matched_octaves"] is None


@pytest.fixture
def meter_says(monkeypatch):
    """meter_says(Match(...)): whatever the picture and the painting, of which no statistics are taken then."""

    def meter_says(match: Match) -> None:
        monkeypatch.setattr(meters, "painting_statistics", lambda painting, *, texture: None)
        monkeypatch.setattr(meters, "matched_octaves", lambda picture, statistics: match)

    return meter_says


def test_the_table_has_the_scale_beside_the_width(painting, capsys, meter_says):
    meter_says(Match(0.5, 0.1, 0.4, 0.6))
    headings, painted = measured(capsys, "painting.png", "--style", "painting.png").out.splitlines()
    assert headings.split()[-1] == "SCALE"
    assert painted[headings.index("SCALE") :].startswith("1.41, +0.50 octave (")


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-math.inf, -1.0, "at most 0.5, -1.00 octave"),
        (1.0, math.inf, "at least 2, +1.00 octave"),
        (-0.1, 0.1, "1, +0.00 octave (-0.10 to +0.10)"),
    ],
)
def test_at_an_end_of_what_the_meter_can_tell_it_says_at_most_or_at_least(
    painting, capsys, meter_says, low, high, told
):
    meter_says(Match(0.0, 0.1, low, high))
    headings, painted = measured(capsys, "painting.png", "--style", "painting.png").out.splitlines()
    assert painted[headings.index("SCALE") :] == told
    (entry,) = json.loads(measured(capsys, "painting.png", "--style", "painting.png", "--json").out)
    assert entry["confidence"] == [end if math.isfinite(end) else None for end in (low, high)]
    assert entry["encoders"]["steerable"]["confidence"] == entry["confidence"]


def test_a_picture_that_could_be_of_any_scale_has_none(painting, capsys, meter_says):
    meter_says(Match(0.0, 0.1, -math.inf, math.inf))
    headings, painted = measured(capsys, "painting.png", "--style", "painting.png").out.splitlines()
    assert painted[headings.index("SCALE") :] == "nothing to measure"
    (entry,) = json.loads(measured(capsys, "painting.png", "--style", "painting.png", "--json").out)
    assert entry["matched_octaves"] is entry["confidence"] is None
    assert entry["reason"] == "it could be of any scale of the painting"


def test_a_picture_too_small_for_the_scale_says_so(painting, capsys):
    images.write(images.read("painting.png")[..., :40, :40], "small.png")
    (entry,) = json.loads(measured(capsys, "small.png", "--style", "painting.png", "--json").out)
    assert entry["matched_octaves"] is None
    assert entry["reason"].startswith(("a picture of 40 x 40 px is too small", "no width stands out"))


def test_the_first_encoder_counts_and_every_one_is_told(painting, capsys):
    command = ["painting.png", "--style", "painting.png", "--encoder", "compact", "--encoder", "steerable", "--json"]
    (entry,) = json.loads(measured(capsys, *command).out)
    assert list(entry["encoders"]) == ["compact", "steerable"]
    assert entry["matched_octaves"] == entry["encoders"]["compact"]["matched_octaves"]
    assert all(abs(each["matched_octaves"] + 0.36) < 0.15 for each in entry["encoders"].values())  # 200 of 256 px


def test_a_style_without_texture_or_a_broken_one_is_refused(bars, capsys):
    images.write(bars, "bars.png")
    images.write(torch.full((1, 3, 150, 150), 0.5), "grey.png")
    Path("broken.jpg").write_bytes(b"no picture")
    err = measured(capsys, "bars.png", "--style", "grey.png", code=2).err
    assert "--style grey.png has no texture; a painting with brushstrokes is needed" in err
    err = measured(capsys, "bars.png", "--style", "broken.jpg", code=2).err
    assert "--style broken.jpg cannot be read: not a picture" in err


def test_a_width_that_hardly_stands_out_is_marked(bars, capsys, monkeypatch):
    images.write(bars, "bars.png")
    assert json.loads(measured(capsys, "bars.png", "--json").out)[0]["stroke_clear"] is True
    assert "unclear" not in measured(capsys, "bars.png").out
    monkeypatch.setattr(width, "_CLEAR", 1.0)
    assert json.loads(measured(capsys, "bars.png", "--json").out)[0]["stroke_clear"] is False
    assert " px, unclear  " in measured(capsys, "bars.png").out


def test_answers_without_importing_torch(tmp_path):
    code = (
        "import atexit; from brushnet.cli import main; "
        f"atexit.register(lambda: print('HEAVY', [each for each in {HEAVY} if each in sys.modules])); sys.exit(main())"
    )
    for arguments in (["measure", "--help"], ["measure", "none.png"]):
        assert "HEAVY []" in brushnet(*arguments, cwd=tmp_path, code=code).stdout


def test_flags_are_completed():
    assert complete_in_bash("brushnet meas") == ["measure"]
    assert complete_in_bash("brushnet measure a.png --ref") == ["--reference-px"]
