"""scripts/compare_nets.py tells networks by what they are unlike, and puts time beside losses."""

import json

import pytest

from brushnet import build, config, images, models
from brushnet.model_meta import ModelMeta
from tests.conftest import load_script

TINY = ("net.width=4", "net.blocks=1", "net.stroke_embedding=4")


@pytest.fixture
def script():
    return load_script("compare_nets")


@pytest.fixture
def run_of(tmp_path):
    """run_of(name, style, *overrides): the folder of a run that has ended."""

    def make(name, style, *overrides):
        folder, cfg = tmp_path / name, config.compose(list(overrides))
        folder.mkdir()
        config.save(cfg, folder / "config.yaml")
        meta = ModelMeta.of(build.build_net(cfg), stroke_mode="conditioned", stroke_min=0.35, stroke_max=2.8,
                            reference_px=256, style_names=["a"])  # fmt: skip
        models.save(folder / "model.safetensors", build.build_net(cfg), meta)
        rows = ["step,train/loss,val/loss,val/style,val/content", "100,,9,8,1", "200,3,,,", f"200,,2,{style},0.5"]
        (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
        return folder

    return make


def test_times_and_last_losses_of_each(script, run_of, tmp_path, monkeypatch, capsys):
    runs = [run_of("a", 1.25, "net=quick", *TINY), run_of("b", 0.75, "net=johnson", *TINY)]
    out, measured = tmp_path / "out", []
    measure = script.measure_inference

    def watched(*args, **options):
        measured.extend(measure(*args, **options))
        return measured

    monkeypatch.setattr(script, "measure_inference", watched)
    assert script.main([*map(str, runs), "-o", str(out), "--size", "48", "--seconds", "0"]) == 0
    found = json.loads((out / "nets.json").read_text())
    quick, johnson = found["nets"]
    assert (quick["net"], johnson["net"]) == (
        "quick width=4 blocks=1 stroke_embedding=4",
        "johnson width=4 blocks=1 stroke_embedding=4",
    )
    assert (quick["step"], quick["val/style"], johnson["val/style"]) == (200, 1.25, 0.75)
    assert (list(quick["ms"]), list(johnson["ms"])) == (["0.5", "1", "2"], ["any"])
    assert found["reference_ms"] == measured[0]["ms"]
    for name in ("ms", "ratio"):
        assert [*quick[name].values(), *johnson[name].values()] == [row[name] for row in measured[1:]]
    assert images.read(out / "nets.jpg").shape[-1] > 3 * 300  # photos and two networks
    assert images.read(out / "nets.png").shape[-1] == 1600
    assert capsys.readouterr().out.splitlines()[1].startswith("johnson width=4 blocks=1 stroke_embedding=4")
