"""`brushnet probe` end to end on small pictures, and everything that it refuses."""

import json

import pytest
import torch

from brushnet import cli, images
from tests.conftest import strokes_picture, vgg_state

SMALL = ["--widths", "4,8", "--size", "48", "--draws", "3"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A loss network and a painting in the current folder."""
    monkeypatch.chdir(tmp_path)
    torch.save(vgg_state(), "tiny.pth")
    images.write(images.to_float(strokes_picture(520, 640))[None], "painting.png")
    return tmp_path


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
    assert told["networks"][0]["lossnet"] == "tiny (stand-in: 6 of VGG's 64 channels)"
    assert {row["observer"] for row in told["networks"][0]["rows"]} == {"relu1_1", "relu2_1", "relu3_1", "style loss"}
    assert "relu3_1" in err
    assert images.read("out/probe.png").shape[-1] > 600


def test_a_painting_is_rescaled_and_another_network_gets_its_own_row(folder, capsys):
    assert probe("--lossnet", "tiny.pth", "--style", "painting.png", "-o", "out") == 0
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
    import re

    assert re.search(message, err)
    assert sorted(folder.iterdir()) == before


def test_what_an_earlier_run_wrote_is_kept_unless_forced(folder, capsys):
    (folder / "probe").mkdir()
    (folder / "probe" / "probe.csv").write_text("mine")
    assert probe(*SMALL) == 2
    assert "probe.csv would be overwritten; pass --force" in capsys.readouterr().err
    assert (folder / "probe" / "probe.csv").read_text() == "mine"
    assert probe(*SMALL, "--force") == 0
    assert (folder / "probe" / "probe.csv").read_text() != "mine"
