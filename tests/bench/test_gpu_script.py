"""scripts/bench/gpu.py: the GPU half of the table, tried without a GPU."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from brushnet.commands import bench
from brushnet.commands.bench_parts import Request, composed
from brushnet.commands.parser import Parser

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench" / "gpu.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("smoke", [True, False])
def test_every_command_is_one_that_brushnet_bench_takes(script, smoke, lossnet_file):
    for arguments in script.commands(lossnet_file, smoke=smoke).values():
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


@pytest.mark.slow  # six commands, a quarter of a minute each
def test_smoke_measures_all_of_it_on_a_cpu(script, tmp_path, capsys):
    assert script.main(["--smoke", "-o", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found) == list(script.commands(Path("x"), smoke=True))
    assert found["training, reference at batch 4"]["training"]["reference"]["batch_size"] == 4
    assert {row["width"] for row in found["painting"]["inference"]} == {48}
    out = capsys.readouterr().out
    assert "times the reference (4 wanted)" in out
    assert "of a step waits for data" in out
