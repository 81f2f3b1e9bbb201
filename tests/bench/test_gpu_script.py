"""scripts/bench/gpu.py: the GPU half of the table, tried without a GPU."""

import argparse
import json
import re
import subprocess

import pytest

from brushnet.commands import bench, bench_loss
from brushnet.commands.bench_parts import Request, composed
from brushnet.commands.parser import Parser
from brushnet.config.folder import conf_dir, groups
from tests.conftest import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("bench/gpu")


def asked(**given):
    return argparse.Namespace(
        smoke=False, vgg=None, photos=None, painting=None, reference_steps=4000, only=None, **given
    )


@pytest.mark.parametrize("smoke", [True, False])
def test_every_command_is_one_that_brushnet_bench_takes(script, smoke, tmp_path):
    wanted = asked()
    wanted.smoke, wanted.vgg = smoke, None if smoke else tmp_path / "vgg19.pth"
    for name, arguments in script.commands(tmp_path, wanted).items():
        parser = Parser()
        bench.add_arguments(parser)
        args = parser.parse_intermixed_args(arguments)
        part, overrides = bench._split(args.words)
        bench._check_owners(part, args, overrides)
        if args.sizes:
            bench.parse_sizes(args.sizes)
        cfg = composed(Request((part,), overrides, args.device, args.seconds, None, args.compile, None, None))
        if "experiment=johnson" in overrides and not smoke:
            assert (cfg.trainer.crop_px, cfg.trainer.precision, cfg.net.width) == (256, "bf16-mixed", 32)
            assert [layer.name for layer in cfg.loss.style_layers][-1] == "relu4_3"
        if name == script.RACE:
            bench_loss.check(cfg)
            assert [layer.name for layer in cfg.loss.style_layers] == ["relu1_2", "relu2_2", "relu3_4"]  # its judge's


def test_every_network_is_painted_with_the_default_first(script, tmp_path):
    names = [name.partition(", ")[2] for name in script.commands(tmp_path, asked()) if name.startswith("painting, ")]
    assert set(names) == {*groups(conf_dir())["net"], "by size", "compiled"}
    assert names[0] == re.search(r"- net: (\w+)", (conf_dir() / "train.yaml").read_text())[1]


def test_without_weights_there_is_no_race(script, tmp_path):
    assert script.RACE not in script.commands(tmp_path, asked())


def test_a_race_that_was_shortened_says_so(script):
    point = {"seconds": 90.0, "images": 16_000}
    reached = {"seconds": 9.0, "images": 5000, "ratio": 10.0}
    found = {"time to loss": {"loss": {"reference": [point], "both_reached": None, "total_reached": reached}}}
    assert script.summary(found) == [
        "time to loss: the reference took 90 s for 16000 images, shortened: 160000 wanted",
        "  both losses: not reached (10 times and 60 s wanted)",
        "  their sum: 9 s, 10.0 times as fast (10 times and 60 s wanted)",
    ]


def test_an_unknown_name_is_refused(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main(["--smoke", "-o", str(tmp_path), "--only", "racing"])
    assert "--only must be of training, defaults, painting, quick, " in capsys.readouterr().err


def test_one_that_fails_or_takes_too_long_loses_no_other(script, tmp_path, monkeypatch, capsys):
    def run(command, *, timeout, **options):
        if "bad" in command:
            return subprocess.CompletedProcess(command, 1, stdout="")
        if "slow" in command:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, 0, stdout='{"training": 1}')

    monkeypatch.setattr(script.subprocess, "run", run)
    found = script.measure_all({"a": ["bad"], "b": ["slow"], "c": ["good"]}, tmp_path)
    assert found == {
        "a": {"failed": "exit code 1, see log.txt"},
        "b": {"failed": "took more than 180 s"},
        "c": {"training": 1},
    }
    assert json.loads((tmp_path / "gpu.json").read_text()) == found
    assert "brushnet bench slow" in (tmp_path / "log.txt").read_text()


def test_nothing_is_begun_without_time_for_it(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "WHOLE_SECONDS", 1)
    assert script.measure_all({"a": ["train"]}, tmp_path) == {"a": {"failed": "no time left"}}


def test_without_a_gpu_it_says_so(script, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(script.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        script.main(["-o", str(tmp_path / "out")])
    assert "torch sees no GPU here; --smoke tries the script itself on a CPU" in capsys.readouterr().err


@pytest.mark.slow  # ten commands, a quarter of a minute each
def test_smoke_measures_all_of_it_on_a_cpu(script, tmp_path, capsys):
    assert script.main(["--smoke", "-o", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert script.RACE in found
    assert found["training, reference at batch 4"]["training"]["reference"]["batch_size"] == 4
    painted = [
        each["inference"]
        for name, each in found.items()
        if name.removeprefix("painting, ") in groups(conf_dir())["net"]
    ]
    assert [len({row["network"] for row in rows}) for rows in painted] == [2] * len(groups(conf_dir())["net"])
    out = capsys.readouterr().out
    assert "times the reference (4 wanted)" in out
    assert "of a step waits for data" in out
    assert "shortened: 160000 wanted" in out
