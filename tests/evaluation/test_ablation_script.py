"""scripts/ablation.py from the command line, on run folders with untrained small models."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from brushnet import config, models
from brushnet.config import saved
from tests.conftest import load_script

BASE = ["lossnet=compact", "style.files=[painting.png]", "style.reference_px=100"]
MIXED, FIXED = ["stroke.mode=mixed", "stroke.max=2"], ["stroke.mode=fixed", "stroke.min=2", "stroke.max=2"]


@pytest.fixture
def script():
    return load_script("ablation")


@pytest.fixture
def save_run(place, save_model):
    """save_run("0", *overrides): a run folder in sweep/, its model in the mode and range of its configuration."""

    def save(name: str, *overrides: str) -> str:
        cfg = config.compose([*BASE, "stroke.min=0.5", "stroke.max=2", *overrides])
        run = Path("sweep", name)
        run.mkdir(parents=True)
        saved.save(cfg, run / "config.yaml")
        save_model(str(run / "model.safetensors"), mode=cfg.stroke.mode, low=cfg.stroke.min, high=cfg.stroke.max)
        return str(run)

    return save


def read(path: str = "out/ablation.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_tells_what_differs_and_what_it_does(script, save_run, capsys):
    runs = [save_run("0"), save_run("1", "net.trunk=plain"), save_run("2", *MIXED), save_run("3", *FIXED)]
    assert script.main([*runs, "-o", "out", "--content", "photos", "--photos", "1", "--sizes", "64,80"]) == 0
    scaled, plain, mixed, fixed = rows = read()
    assert list(scaled)[:5] == ["run", "net.trunk", "stroke.mode", "stroke.min", "slope"]
    assert [list(row.values())[:4] for row in rows] == [
        ["sweep/0", "scaled", "conditioned", "0.5"],
        ["sweep/1", "plain", "conditioned", "0.5"],
        ["sweep/2", "scaled", "mixed", "0.5"],
        ["sweep/3", "scaled", "fixed", "2.0"],
    ]
    assert all(row[f"style@{scale}"] for row in rows for scale in ("0.5", "1", "2"))
    assert all(row[name] for row in rows for name in ("error", "measured from", "to", "match", "content", "drift@80"))
    # Asked for one scale only, theirs: no curve.
    assert [bool(row["slope"]) for row in rows] == [True, True, False, False]
    assert [row["content drift"] for row in (mixed, fixed)] == ["", ""]
    assert float(fixed["error"]) == pytest.approx(abs(float(fixed["measured from"]) - 1), abs=2e-3)
    assert float(mixed["error"]) == pytest.approx(abs(float(mixed["measured from"])), abs=2e-3)
    # Beside the run that differs in stroke.* alone, at the stroke that is their own.
    for row, style in ((mixed, "style@1"), (fixed, "style@2")):
        assert float(row["conditioned/own"]) == pytest.approx(float(scaled[style]) / float(row[style]), rel=2e-3)
    assert (scaled["conditioned/own"], plain["conditioned/own"]) == ("", "")
    text = Path("out/ablation.md").read_text()
    assert capsys.readouterr().out == text + "\n"
    assert text.splitlines()[0].startswith("| run | net.trunk | stroke.mode | stroke.min | slope | error |")
    assert text.splitlines()[5].startswith("| sweep/3 | scaled | fixed | 2.0 | - |")
    assert Path("out/sweep/3/sheet.jpg").is_file()


def test_without_an_equal_that_is_conditioned_there_is_no_ratio(script, save_run):
    runs = [save_run("0", "net.trunk=plain"), save_run("1", "stroke.min=1.5"), save_run("2", *MIXED)]
    assert script.main([*runs, "-o", "out", "--content", "photos", "--photos", "1", "--sizes", "64"]) == 0
    assert [row["conditioned/own"] for row in read()] == ["", "", ""]  # of another trunk; not trained for s = 1
    assert (read()[1]["style@1"], bool(read()[1]["style@2"])) == ("", True)


def test_steps_and_seconds_are_those_that_the_model_tells(script, save_run):
    for run, told in (
        (save_run("0"), {"steps": 400, "seconds": 7.5}),
        (save_run("1"), {"steps": "many", "seconds": None}),
    ):
        model = models.load(run)
        models.save(Path(run, "model.safetensors"), model.net, replace(model.meta, training=told))
    assert (
        script.main(["sweep/0", "sweep/1", "-o", "out", "--content", "photos", "--photos", "1", "--sizes", "64"]) == 0
    )
    assert [(row["steps"], row["seconds"]) for row in read()] == [("400", "7.5"), ("", "")]


def test_a_table_is_overwritten_with_force_alone(script, save_run, capsys):
    Path("out").mkdir()
    Path("out", "ablation.md").write_text("mine")
    command = [save_run("0"), "-o", "out", "--content", "photos", "--photos", "1", "--sizes", "64"]
    assert script.main(command) == 2
    assert "ablation.md would be overwritten; pass --force" in capsys.readouterr().err
    assert [path.name for path in Path("out").iterdir()] == ["ablation.md"]
    assert script.main([*command, "--force"]) == 0
    assert Path("out", "ablation.md").read_text().startswith("| run | slope |")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep/0", "sweep/none"], "sweep/none is not a run folder: it has no config.yaml"),
        (["sweep/0", "sweep/empty"], "sweep/empty: no run folder (neither model.safetensors nor"),
        (["sweep/0", "sweep/0/"], "RUN sweep/0: two runs are called sweep/0; give each once"),
        (["sweep/0", "--sizes", "64,x"], "argument --sizes: must be a whole number above 0, got x"),
        (["sweep/0", "--sizes", "9"], "--sizes must be from 64 to 4096 px with commas between, got 9"),
        (["sweep/0", "--content", "nowhere"], "nowhere"),
        (["sweep/0", "--style", "none.png"], "--style none.png cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(script, save_run, capsys, arguments, words):
    save_run("0")
    Path("sweep", "empty").mkdir()
    Path("sweep", "empty", "config.yaml").write_text("seed: 1\n")
    assert script.main([*arguments, "-o", "out"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("ablation: error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not list(Path().glob("out/**/*.*"))
