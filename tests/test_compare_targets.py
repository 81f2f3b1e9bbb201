"""scripts/compare_targets.py from the command line to the table, with a loss network of three convolutions."""

import pytest

from brushnet.config import Config
from tests.conftest import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("compare_targets")


def test_a_row_for_each_scale_and_crops_are_further_off_than_banks(script, painting_file, lossnet_file, capsys):
    arguments = ["--style", str(painting_file), "--weights", str(lossnet_file), "--crop-px", "64", "--draws", "8"]
    assert script.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[float(value) for value in line.split()] for line in lines[1:]]
    assert [row[0] for row in rows] == list(script.SCALES)
    assert all(crop > 5 * max(banks) > 0 for _, crop, *banks in rows)


def test_losses_are_those_of_a_default_run(script, painting_file, lossnet_file, monkeypatch):
    asked = []
    monkeypatch.setattr(script.build, "build_spec", lambda cfg: asked.append(cfg) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        script.main(["--style", str(painting_file), "--weights", str(lossnet_file)])
    assert asked[0].loss == Config().loss


def test_a_missing_file_is_named_in_one_line(script, tmp_path, painting_file, capsys):
    assert script.main(["--style", str(painting_file), "--weights", str(tmp_path / "gone.pth")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("compare_targets: error: lossnet.weights=")
    assert err.count("\n") == 1
