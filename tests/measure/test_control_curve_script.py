"""scripts/control_curve.py from the command line to the table, with an untrained model."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from brushnet import images, models, seeds
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from brushnet.strokes import Painting

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "control_curve.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("control_curve_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def arguments(tmp_path: Path, painting: Painting) -> list[str]:
    """Command line with a model, a painting, three photos and an encoder in tmp_path."""
    with seeds.torch_seeded(0, "test"):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=1).eval().requires_grad_(False)
        torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "squeezenet.pth")
    meta = ModelMeta.of(
        net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2, reference_px=128, style_names=["strokes"]
    )
    models.save(tmp_path / "model.safetensors", net, meta)
    images.write(images.to_float(painting.pixels)[None], tmp_path / "painting.png")
    for index, name in enumerate(["a.png", "b.png", "deep/a.png"]):
        photo = torch.from_numpy(seeds.rng(index, "photo").random((1, 3, 50, 60), dtype="float32"))
        images.write(photo, tmp_path / "photos" / name)
    options = {"--style": "painting.png", "--content": "photos", "--encoder": "squeezenet.pth"}
    paths = [part for option, file in options.items() for part in (option, str(tmp_path / file))]
    return [str(tmp_path / "model.safetensors"), *paths, "--photo-px", "50", "--strokes", "0.5,2"]


def test_json_has_a_row_for_every_photo_and_stroke_and_a_summary(script, arguments, capsys) -> None:
    assert script.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    asked = [(row["photo"], row["requested_octaves"]) for row in found["rows"]]
    assert asked == [(photo, stroke) for photo in ("a.png", "b.png", "deep/a.png") for stroke in (-1, 1)]
    assert found["summary"]["unmeasured"] == 0
    assert isinstance(found["summary"]["slope"], float)


def test_the_table_names_the_photos_and_the_figures(script, arguments, capsys) -> None:
    assert script.main([*arguments, "--photos", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 * 2 + 1
    assert lines[1].split()[:2] == ["a.png", "-1.00"]
    assert lines[-1].startswith("slope ")


def test_what_cannot_be_measured_is_null_in_json(script) -> None:
    rows = [script.Row("a", 0.0, float("nan"), float("nan"))]
    found = json.loads(script.as_json(rows, script.summarise(rows)))
    assert found["rows"][0]["matched_octaves"] is None
    assert found["summary"] == {
        "slope": None,
        "mean_absolute_error_octaves": None,
        "spread_over_photos_octaves": None,
        "unmeasured": 1,
    }


@pytest.mark.parametrize("strokes", ["", "1,big", "0,1", "-1", "nan", "inf"])
def test_strokes_that_are_no_scales_are_refused_in_one_line(script, arguments, capsys, strokes: str) -> None:
    assert script.main([*arguments, f"--strokes={strokes}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("control_curve: error: --strokes must be a number above 0, or several with commas between")
    assert repr(strokes) in error
    assert error.count("\n") == 1


def test_a_folder_without_photos_is_refused(script, arguments, capsys, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert script.main([*arguments, "--content", str(tmp_path / "empty")]) == 2
    assert "at least one photo is needed" in capsys.readouterr().err
