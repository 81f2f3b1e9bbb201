"""A real run by `training.run`, measured."""

from pathlib import Path

import pytest
import torch

from brushnet import build, config
from brushnet.bench import bare_run, training
from brushnet.bench.clock import Clock
from brushnet.bench.rates import Rates
from brushnet.bench.reference import Reference, whole_photos
from brushnet.bench.steps import PARTS
from brushnet.bench.training import measure_training
from brushnet.errors import BrushnetError, Stopped
from brushnet.strokes import StrokeRange


@pytest.fixture
def built(tiny):
    cfg = config.compose(tiny)
    stroke = StrokeRange(cfg.stroke.min, cfg.stroke.max, cfg.stroke.mode)
    paintings = build.build_paintings(cfg, stroke)
    data = build.build_data(cfg, allow_pipe=False)
    data.setup("fit")
    lossnet = build.build_lossnet(cfg)
    module = build.build_module(cfg, lossnet=lossnet, paintings=paintings, stroke=stroke, command=None)
    return module, data, build.build_options(cfg, Path("nowhere"))


def test_a_run_is_measured_in_turn_with_the_reference_and_leaves_nothing(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = set(tmp_path.rglob("*"))
    module, data, _ = built
    before = {name: value.clone() for name, value in module.net.state_dict().items()}
    photos = whole_photos(data.photos.source, count=2)
    compared = Reference(
        photos, torch.rand(1, 3, 32, 32), batch_size=3, crop_px=32, workers=0, device=torch.device("cpu")
    )
    rates = Rates(Clock(torch.device("cpu")), sides=(16, 32), copied_bytes=1 << 16)
    found = measure_training(*built, reference=compared, rates=rates, seconds=0.2, rounds=2)
    assert len(found.ours) == len(found.reference) == len(found.parts) == len(rates.copies) == 2
    assert all(steps >= training.LEAST_STEPS and seconds > 0 for steps, seconds in found.ours)
    assert any(not torch.equal(value, before[name]) for name, value in module.net.state_dict().items())
    assert set(tmp_path.rglob("*")) == there
    assert not Path("nowhere").exists()

    told = found.to_dict()
    assert list(told["parts_ms"]) == list(PARTS)
    assert all(told["parts_ms"][name] > 0 for name in PARTS)
    assert told["step_ms"] == pytest.approx(1000 * 2 / told["images_s"])
    assert sum(told["parts_ms"].values()) == pytest.approx(told["step_ms"], rel=0.9)  # other blocks: a busy machine
    shares = [waited / seconds for waited, (_, seconds) in zip(found.waited, found.ours, strict=True)]
    assert told["data_share"] == pytest.approx(sum(shares) / 2)  # the median of two rounds
    assert 0 < min(shares) <= max(shares) < 1
    assert told["reference"]["batch_size"] == 3
    assert told["ratio"] == pytest.approx(told["images_s"] / told["reference"]["images_s"])
    assert told["reference"]["flops_per_image"] > 10 * told["flops_per_image"] > 0


def test_loading_processes_of_both_are_there_to_the_end(built):
    module, data, options = built
    data.workers = 1
    photos = whole_photos(data.photos.source, count=2)
    compared = Reference(
        photos, torch.rand(1, 3, 32, 32), batch_size=1, crop_px=32, workers=1, device=torch.device("cpu")
    )
    found = measure_training(module, data, options, reference=compared, seconds=0.1, rounds=1)
    assert len(found.ours) == len(found.reference) == 1
    assert compared.step() > 0


def test_parts_are_medians_over_blocks_and_each_block_sums_to_its_steps(built):
    found = measure_training(*built, reference=None, seconds=0.1, rounds=3)
    for parts in found.parts:
        assert set(parts) == set(PARTS)
        assert parts["rest"] > -1e-6
    assert "ratio" not in found.to_dict()
    assert found.compiled_meanwhile == 0


@pytest.mark.parametrize(("recorded", "quiet"), [(None, training.WARM_UP_STEPS), (object(), training.WARM_UP_RECORDED)])
def test_the_warm_up_lasts_until_nothing_is_compiled_or_recorded_any_more(clock, monkeypatch, recorded, quiet):
    graphs = iter([0, 1, 1, 2, *[2] * 99])  # before and after each step: the first two compile
    monkeypatch.setattr(training, "compiled_graphs", lambda: next(graphs))
    blocks = training.Blocks(reference=None, rates=None, seconds=0.0, rounds=1, settle_steps=0)
    blocks.clock = clock
    made = iter([*range(10), *[9] * 99])  # before and after: the first five steps are recorded
    blocks.module = type("Module", (), {"recorded": recorded, "prepared": property(lambda self: next(made))})()
    assert len(list(blocks._warm_up())) == 5 + quiet


def test_what_is_compiled_is_seen():
    before = training.compiled_graphs()
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    assert training.compiled_graphs() == before + 1


def test_a_training_that_ends_early_gives_no_figures(built, monkeypatch):
    monkeypatch.setattr(bare_run, "run", lambda *args, **options: None)
    with pytest.raises(BrushnetError, match="the training ended before it was measured"):
        measure_training(*built, reference=None, seconds=0.1)


def test_a_stop_names_no_folder_to_resume(built, monkeypatch):
    def stopped(*args, **options):
        raise Stopped("stopped at step 3 of 100000000; continue with: brushnet train resume=/somewhere")

    monkeypatch.setattr(bare_run, "run", stopped)
    with pytest.raises(Stopped, match=r"^stopped; nothing is written$"):
        measure_training(*built, reference=None, seconds=0.1)
