"""`brushnet bench` end to end on a tiny training, and everything that it refuses."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from brushnet import build, cli, config, models
from brushnet.bench import inference, rates
from brushnet.bench.loading import worker_counts
from brushnet.commands import bench_parts, bench_scaling
from brushnet.commands.bench import parse_sizes
from brushnet.commands.bench_training import training_of
from brushnet.config.folder import conf_dir, groups
from brushnet.errors import BrushnetError
from tests.bench.conftest import tiny  # noqa: F401
from tests.test_cli import HEAVY, brushnet

FAST = ["--device", "cpu", "--seconds", "0.05"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder; products and copies of moments."""
    monkeypatch.setitem(rates.SIDES, "cpu", (16, 32))
    monkeypatch.setitem(rates.COPIED_BYTES, "cpu", 1 << 16)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def benched(capsys, *arguments, code=0):
    assert cli.main(["bench", *arguments]) == code
    return capsys.readouterr()


def test_all_of_it_as_json_and_the_same_in_a_file(tiny, folder, capsys):  # noqa: F811
    sizes = ["--sizes", "24,40x32"]
    out, err = benched(capsys, *tiny, *FAST, *sizes, "--json", "-o", "new/speed.json")
    found = json.loads(out)
    assert json.loads(Path("new/speed.json").read_text()) == found
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(found) == ["command", "seconds", "machine", "training", "inference", "loading"]
    assert found["command"].startswith("brushnet bench ")
    assert found["command"].endswith("--device=cpu --seconds=0.05 --sizes=24,40x32")
    assert {"device", "processor", "cores", "threads", "memory_gb", "versions"} <= found["machine"].keys()
    assert {"brushnet", "python", "torch"} <= found["machine"]["versions"].keys()
    assert "bench: painting at 40 x 32 px" in err

    training = found["training"]
    for each in (training, training["reference"]):
        assert {"batch_size", "images_s", "step_ms", "flops_per_image", "roofline_share", "blocks"} <= each.keys()
    assert training["ratio"] == pytest.approx(training["images_s"] / training["reference"]["images_s"])
    assert {"options", "net", "lossnet", "crop_px", "precision", "workers", "parts_ms", "data_share"} <= training.keys()
    roof = training["roofline"]
    # The same where operations bound every layer, but for how a sum is rounded.
    assert roof["images_s"] * (1 + 1e-9) >= roof["images_s_by_layer"] > 0
    assert training["roofline_share"] == pytest.approx(training["images_s"] / roof["images_s"], rel=1e-3)

    assert {row["network"] for row in found["inference"]} == {"reference", *groups(conf_dir())["net"]}
    assert {(row["height"], row["width"]) for row in found["inference"]} == {(24, 24), (32, 40)}
    assert {row["stroke"] for row in found["inference"] if row["network"] == "slim"} == {0.5, 1, 2}
    assert {row["source"] for row in found["loading"]} == {"given"}


def test_tables_for_people(tiny, folder, capsys):  # noqa: F811
    out, _ = benched(capsys, "train", *tiny, *FAST, "trainer.precision=32-true", "--reference-batch", "1")
    lines = out.splitlines()
    assert "threads, torch " in lines[0]
    assert lines[2].startswith("TRAINING  width 4, 1 blocks, scaled trunk, tiny_vgg.pth, 32 px, 32-true")
    assert lines[3].split() == ["IMAGES/S", "BATCH", "STEP", "GFLOP/IMAGE", "OF", "THE", "ROOFLINE"]
    assert lines[4].startswith("brushnet ")
    assert lines[5].split()[2] == "1"
    assert lines[6].endswith(" times the reference's images/s")
    assert lines[7].startswith("a step: data ")
    assert len({line.index("STEP" if "STEP" in line else line.split()[3]) for line in lines[3:6]}) == 1
    assert not list(folder.iterdir())


def test_loading_from_the_samples_is_a_table_of_both_ways(folder, capsys):
    out, _ = benched(capsys, "data", *FAST)
    rows = [line.split() for line in out.splitlines()[3:]]
    assert rows[0] == ["FROM", "WORKERS", "IMAGES/S"]
    counts = [str(count) for count in worker_counts(bench_parts.os.cpu_count())]
    assert [row[:2] for row in rows[1:]] == [[kind, count] for kind in ("folder", "shards") for count in counts]


def test_painting_is_a_table_by_size_and_network(folder, capsys, monkeypatch):
    monkeypatch.setattr(inference, "SIZES", ((24, 24),))
    out, _ = benched(capsys, "stylize", *FAST)
    lines = out.splitlines()[3:]
    assert lines[0].split() == ["SIZE", "NETWORK", "S", "ARITHMETIC", "TIME", "PEAK", "MEMORY", "RATIO"]
    assert lines[1].startswith("24 x 24  reference  -    float32 ")
    assert lines[1].endswith("  1.00")
    assert sum(" slim " in line for line in lines) == 3


@pytest.mark.slow  # four trainings in processes of their own, a quarter of a minute each
def test_scaling_of_processes_pixels_and_workers(tiny, folder, capsys):  # noqa: F811
    out, err = benched(capsys, "scaling", *tiny, *FAST, "--sizes", "24", "-o", "scaling.json")
    assert err.count("bench: training on 1 process of one thread") == 2
    assert err.count("bench: training on 2 processes of one thread") == 2
    found = json.loads(Path("scaling.json").read_text())["scaling"]
    net = build.build_net(config.compose(tiny))
    gradients = 4 * sum(parameter.numel() for parameter in net.parameters())
    assert found["processes"]["gradient_bytes_per_step"] == gradients
    assert [block["processes"] for block in found["processes"]["blocks"]] == [1, 2, 1, 2]
    assert found["processes"]["blocks"][1]["images"] == 2 * found["processes"]["blocks"][0]["images"]
    lines = out.splitlines()
    assert lines[2] == "SCALING  training on the CPU by 2 processes of one thread each, gloo, beside one"
    assert [line.split()[:3] for line in lines if line.startswith("24 x")] == [["24", "x", "24"]]
    assert "FROM   WORKERS  IMAGES/S" in lines


def test_a_process_that_fails_is_told_and_ends_the_others(tiny, folder, capsys, monkeypatch):  # noqa: F811
    code = "import os, sys, time; int(os.environ['LOCAL_RANK']) or time.sleep(60); sys.exit('no luck')"
    monkeypatch.setattr(bench_scaling.subprocess, "Popen", starting(code))
    request, begun = folder / "request.json", time.monotonic()
    with pytest.raises(BrushnetError, match="a training process of brushnet bench scaling ended with code 1: no luck"):
        bench_scaling._run_ranks(2, request)
    assert time.monotonic() - begun < 30


def test_a_training_that_hangs_is_ended(folder, monkeypatch):
    monkeypatch.setattr(bench_scaling.subprocess, "Popen", starting("import time; time.sleep(60)"))
    monkeypatch.setattr(bench_scaling, "LONGEST_SECONDS", 0.2)
    begun = time.monotonic()
    with pytest.raises(BrushnetError, match=r"a training of brushnet bench scaling took more than 0\.2 s"):
        bench_scaling._run_ranks(1, folder / "request.json")
    assert time.monotonic() - begun < 30


def starting(code):
    """Popen, but for what it runs."""
    plain = subprocess.Popen
    return lambda command, **options: plain([sys.executable, "-c", code], **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["paint"],
            "brushnet bench measures one of train, stylize, data, all, loss, scaling, got paint; options are",
        ),
        (["train", "data"], "got train data"),
        (["--seconds", "0"], "argument --seconds: must be a number above 0, got 0"),
        (["--device", "gpu"], "argument --device: invalid choice: 'gpu'"),
        (["--sizes", "512,0"], "--sizes must be sides or WxH from 16 to 16384 px, joined by commas, got '0'"),
        (["--sizes", "512x"], "got '512x'"),
        (["stylize", "--sizes", "20000"], "got '20000'"),
        (["train", "--sizes", "512"], "--sizes belongs to brushnet bench stylize or scaling, got train"),
        (["data", "--compile"], "--compile belongs to brushnet bench stylize, got data"),
        (["data", "--reference-batch", "2"], "--reference-batch belongs to brushnet bench train or loss, got data"),
        (["stylize", "net.width=8"], "net.width=8 says how to train or load, and brushnet bench stylize does neither"),
        (["stylize", "--data", "photos"], "--data photos says how to train or load"),
        (["-o", "speed.txt"], "-o speed.txt: the figures are JSON; give a name that ends in .json"),
        (["-o", "."], "-o .: the figures are JSON"),
        (["-o", "file/speed.json"], "-o file/speed.json: "),
        (["net.widht=3"], "unknown option net.widht; did you mean net.width?"),
        (["net=slim,johnson"], "net must have one value, got slim,johnson"),
        (["resume=runs/a"], "resume= starts from something that is trained; brushnet bench trains from the beginning"),
        (["style.base=starry-night"], "style.base= starts from something that is trained"),
        (["train", "fork=starry-night", "net.blocks=1"], "fork=starry-night: its weights cannot be taken over with"),
        (["trainer.devices=2"], "trainer.devices must be 1 in brushnet bench, got 2"),
        (["--data", "a", "data.path=b"], "--data a and data.path=b say the same; give one of them"),
        (["--data", "nowhere"], "data.path=nowhere does not exist"),
        (["stylize", "--vgg", "vgg.pth"], "--vgg belongs to brushnet bench loss, got stylize"),
        (["--reference-steps", "9"], "--reference-steps belongs to brushnet bench loss, got all"),
        (["data", "--reference-steps", "0"], "argument --reference-steps: must be a whole number above 0"),
        (
            ["loss"],
            "brushnet bench loss needs --vgg FILE, the reference's loss network: VGG-16 to relu4_3 or VGG-19 to",
        ),
        (["loss", "--vgg", "gone.pth"], "--vgg gone.pth does not exist; give a file: VGG-16 to relu4_3"),
        (["loss", "--vgg", "file"], "--vgg file cannot be read as weights: "),
        (["loss", "lossnet.weights=file"], "lossnet.weights=file cannot be read as weights: "),
        (["loss", "trainer.max_time='00:00:01:00'"], "trainer.max_time=00:00:01:00: brushnet bench loss finds out how"),
        (["loss", "stroke=half"], "stroke.min and stroke.max must have 1 between them in brushnet bench loss, which"),
        (["loss", "style.files=[a.jpg,b.jpg]"], "style.files must be one painting in brushnet bench loss, as the"),
        (["--device", "mps", "trainer.accelerator=cpu"], "--device mps contradicts trainer.accelerator=cpu"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_measured(arguments, message, folder, capsys):
    Path("file").touch()
    out, err = benched(capsys, *arguments, code=2)
    assert out == ""
    assert message in err
    assert err.startswith("brushnet: error: ")
    assert err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_fork_is_measured_from_the_weights_that_it_starts_from():
    module, _ = training_of(config.compose(["fork=starry-night", "lossnet=compact"]), overrides=["fork=starry-night"])
    found, wanted = module.net.state_dict(), models.load("starry-night", device="cpu").net.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in found.items())


def test_a_folder_with_the_name_of_a_file_is_refused(folder, capsys):
    Path("speed.json").mkdir()
    assert "-o speed.json is a folder; give a file" in benched(capsys, "-o", "speed.json", code=2).err


def test_a_loss_network_that_the_reference_does_not_have_is_refused(lossnet_file, folder, capsys):
    err = benched(capsys, "loss", "--device", "cpu", "--vgg", str(lossnet_file), code=2).err
    assert "tiny_vgg.pth is no loss network of the reference's, which takes VGG-16 to relu4_3 or VGG-19 to" in err


def test_figures_are_overwritten_only_when_told_to(folder, capsys, monkeypatch):
    monkeypatch.setattr(bench_parts, "measure", lambda request, *, tell: {})
    Path("speed.json").write_text("before")
    err = benched(capsys, "data", "-o", "speed.json", code=2).err
    assert "-o speed.json would be overwritten; pass --force to allow it, or choose another" in err
    assert Path("speed.json").read_text() == "before"
    benched(capsys, "data", "--json", "-o", "speed.json", "--force")
    assert json.loads(Path("speed.json").read_text())["command"] == "brushnet bench data"


def test_a_device_that_is_not_here_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert "--device cuda is not on this machine" in benched(capsys, "--device", "cuda", code=2).err
    assert "trainer.accelerator=gpu: this machine has none" in benched(capsys, "trainer=gpu", code=2).err


def test_sizes_are_sides_or_width_by_height():
    assert parse_sizes("512, 1920x1080") == [(512, 512), (1080, 1920)]


def test_no_password_is_kept_in_the_command(folder, capsys, monkeypatch):
    monkeypatch.setattr(bench_parts, "measure", lambda request, *, tell: {})
    words = ["data.path=https://me:secret@host/a.tar?key=secret", "--data", "pipe:cat secret"]
    out, _ = benched(capsys, "data", *words, "--json", "-o", "speed.json")
    assert "secret" not in out + Path("speed.json").read_text()


@pytest.mark.parametrize("arguments", [["bench", "--help"], ["bench", "paint"], ["bench", "--sizes", "x"]])
def test_it_answers_without_importing_torch(arguments, tmp_path):
    code = (
        "import atexit; from brushnet.cli import main; "
        f"atexit.register(lambda: print('HEAVY', [each for each in {HEAVY} if each in sys.modules])); sys.exit(main())"
    )
    assert "HEAVY []" in brushnet(*arguments, cwd=tmp_path, code=code).stdout
