"""The command line as a user meets it: answers fast, one line per mistake, exit codes that mean something."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brushnet import __version__, cli
from brushnet.commands import shards, stylize
from brushnet.errors import BrushnetError, ConfigError, Stopped

REPOSITORY = Path(__file__).parents[1]
HEAVY = ("torch", "pytorch_lightning", "webdataset", "torchvision", "wandb")


def brushnet(*arguments, cwd, code="from brushnet.cli import main; sys.exit(main())"):
    """A fresh process, from another folder."""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", *arguments],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def failing(error):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize(
    ("arguments", "limit_s"), [(["--help"], 0.5), (["train", "--help"], 0.5), (["train", "--cfg", "job"], 3.0)]
)
def test_answers_within_its_time(tmp_path, arguments, limit_s):
    def seconds():
        start = time.perf_counter()
        assert brushnet(*arguments, cwd=tmp_path).returncode == 0
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < limit_s  # the best of three: other work shares the machine


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["train", "--help"], ["train", "--cfg", "job"], ["train", "net=typo"], ["train", "seed=x"],
     ["stylize", "--help"], ["stylize", "model", "a.jpg", "-o", "b", "--stroke", "x"], ["shards", "--help"],
     ["baseline", "--help"], ["baseline", "moments", "a.jpg", "b.jpg", "-o", "c", "--scales", "1"],
     ["completion", "bash"], ["models"], ["models", "--json"]],
)  # fmt: skip
def test_answers_without_importing_torch(tmp_path, arguments):
    code = (
        "import atexit; from brushnet.cli import main; "
        f"atexit.register(lambda: print('HEAVY', [each for each in {HEAVY} if each in sys.modules])); sys.exit(main())"
    )
    assert "HEAVY []" in brushnet(*arguments, cwd=tmp_path, code=code).stdout


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in cli.COMMANDS)


def test_no_command_shows_the_help(capsys):
    assert cli.main([]) == 0
    assert "commands:" in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_help(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: brushnet {name}")


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"brushnet {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["trian"],
            f"unknown command trian; did you mean train?; there are: {', '.join(cli.COMMANDS)}",
        ),
        (["--verison"], "unrecognized arguments: --verison; did you mean --version?; see brushnet --help"),
        (
            ["train", "--alow-pipe"],
            "unrecognized arguments: --alow-pipe; did you mean --allow-pipe?; see brushnet train",
        ),
        (["train", "--cfg", "x"], "argument -c/--cfg: invalid choice: 'x'"),
        (["train", "net.widht=3"], "unknown option net.widht; did you mean net.width?"),
        (["train", "--config-dir", "nowhere"], "--config-dir must be a folder, got nowhere"),
        (["stylize", "model"], "the following arguments are required"),
        (["stylize", "m", "a", "-o", "b", "--stroke", "0"], "--stroke must be a number above 0"),
        (["stylize", "m", "a", "-o", "b", "--style", "x", "--mix", "x=1"], "--mix: not allowed with argument --style"),
        (["stylize", "m", "a", "-o", "b", "--mix", "x"], "--mix must be names with weights that sum to 1"),
        (["stylize", "m", "a", "-o", "b", "--stroke", "1", "--strokes", "1,2"], "not allowed with argument --stroke"),
        (["stylize", "m", "a", "-o", "b", "--stroke", "1", "--stroke-map", "c"], "not allowed with argument --stroke"),
        (["stylize", "m", "a", "-o", "b", "--stroke-map", "c", "--map-range", "1"], "--map-range must be two numbers"),
        (["stylize", "m", "a", "-o", "b", "--stroke-per-side", "x"], "--stroke-per-side must be a number above 0"),
        (["stylize", "m", "a", "-o", "b", "--stroke-per-side", "1", "--stroke", "1"], "not allowed with argument"),
        (["stylize", "m", "a", "-o", "b", "--map-range", "1,2"], "--map-range 1,2 needs a --stroke-map"),
        (
            ["shards", "pack", "a", "-o", "b", "--short-side", "0"],
            "--short-side: must be a whole number above 0, got 0",
        ),
        (["shards", "pack", "a", "-o", "b", "--shard-mb", "nan"], "--shard-mb: must be a number above 0, got nan"),
        (
            ["shards", "pack", "a", "-o", "b", "--quality", "101"],
            "--quality: must be a whole number from 1 to 100, got 101",
        ),
        (
            ["shards", "pack", "a", "-o", "b", "--quality", "²"],
            "--quality: must be a whole number from 1 to 100, got ²",
        ),
        (["shards", "pack", "a", "-o", "b", "--short-side", "9" * 5000], "--short-side: must be a whole number above"),
        (["stylize", "m", "a", "-o", "b", "--quality", "x"], "--quality: must be a whole number from 1 to 100, got x"),
        (["stylize", "m", "a", "-o", "b", "--stroke", "0.5,1"], "got '0.5,1'; --strokes takes several"),
        (["stylize", "m", "a", "-o", "b", "--strength", "2"], "--strength must be a number from 0 (the photo) to 1.5"),
        (["stylize", "m", "a", "-o", "b", "--strength", "abc"], "1 is the painting; got 'abc'"),
        (
            ["stylize", "m", "a", "-o", "b", "--preserve-colour", "purple"],
            "--preserve-colour must be luminance or histogram, got 'purple'",
        ),
        (["stylize", "--preserve-color", "m", "a", "-o", "b"], "picture write --preserve-colour=luminance"),
        (["shards", "unpack", "a", "-o", "b"], "invalid choice: 'unpack'"),
        (["completion", "csh"], "invalid choice: 'csh'"),
    ],
)
def test_mistake_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("brushnet: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BrushnetError("the loss\nis not finite"), 1, "brushnet: error: the loss is not finite"),
        (ConfigError("net.width must be less"), 2, "brushnet: error: net.width must be less"),
        (Stopped("stopped at step 7"), 3, "brushnet: stopped at step 7"),
        (KeyboardInterrupt(), 3, "brushnet: stopped"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a.jpg"),
            1,
            "brushnet: error: No space left on device: a.jpg",
        ),
        (OSError(errno.EIO, "Input/output error"), 1, "brushnet: error: Input/output error"),
        (BrushnetError("a\x1b[2J\x07.jpg is bad"), 1, r"brushnet: error: a\x1b[2J\x07.jpg is bad"),
        (OSError(errno.EIO, "no", "\x1b[2J.jpg"), 1, r"brushnet: error: no: \x1b[2J.jpg"),
        (TypeError("a\nbug"), 1, "brushnet: internal error: TypeError: a bug; --debug shows the traceback"),
    ],
)
def test_every_failure_has_its_line_and_exit_code(error, code, line, monkeypatch, capsys):
    monkeypatch.setattr(shards, "run", failing(error))
    assert cli.main(["shards", "pack", "a", "-o", "b"]) == code
    assert capsys.readouterr().err == f"{line}\n"


def test_control_characters_of_file_names_do_not_reach_the_terminal(tmp_path, capsys, monkeypatch):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "good.jpg").write_bytes((REPOSITORY / "data" / "photos" / "cat.jpg").read_bytes())
    (photos / "a\x1b[2J.jpg").write_bytes(b"no picture")
    assert cli.main(["shards", "pack", str(photos), "-o", str(tmp_path / "out"), "--short-side", "32"]) == 0
    monkeypatch.setattr(
        "brushnet.inference.stylize.stylize_files", lambda *_, progress, report, **__: say(progress, report)
    )
    monkeypatch.setattr("brushnet.commands.progress.PLAIN_EVERY_S", 0)

    def say(progress, report):
        progress(1, 2, Path("b\x1b[2J.jpg"))
        report.failed.append((Path("c\x1b[2J.jpg"), "broken"))

    assert cli.main(["stylize", "model", "a.jpg", "-o", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert all(rf"{name}\x1b[2J.jpg" in err for name in "abc")


def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch, capsys):
    monkeypatch.setattr(shards, "run", failing(TypeError("a bug")))
    for arguments in (["--debug", "shards", "pack", "a", "-o", "b"], ["shards", "pack", "a", "-o", "b", "--debug"]):
        assert cli.main(arguments) == 1
        err = capsys.readouterr().err
        assert "Traceback" in err
        assert err.endswith("internal error: TypeError: a bug; --debug shows the traceback\n")


def test_reader_that_leaves_early_is_no_failure(tmp_path):
    code = "from brushnet.cli import main; code = main(); print('code', code, file=sys.stderr)"
    command = f"import sys; sys.argv[1:] = ['train', '--cfg', 'job']; {code}"
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=tmp_path,
    )
    process.stdout.close()
    assert process.stderr.read() == "code 0\n"
    process.stderr.close()
    process.wait()


def test_flags_and_values_may_stand_in_any_order(monkeypatch):
    seen = []
    monkeypatch.setattr(stylize, "run", lambda args: seen.append((args.model, args.inputs, args.output)) or 0)
    assert cli.main(["stylize", "m", "-o", "out", "a.jpg", "--strict", "b.jpg"]) == 0
    assert seen == [("m", ["a.jpg", "b.jpg"], "out")]


def test_shards_pack_and_stylize_reach_their_rooms(tmp_path, capsys):
    photos = REPOSITORY / "data" / "photos"
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes((photos / "cat.jpg").read_bytes())
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    assert (
        cli.main(["shards", "pack", str(tmp_path / "photos"), "-o", str(tmp_path / "out"), "--short-side", "64"]) == 0
    )
    err = capsys.readouterr().err
    assert "1 photos in 1 shards" in err
    assert "1 skipped:\n  broken.jpg: " in err
    assert (tmp_path / "out" / "index.json").is_file()
    assert cli.main(["stylize", "no-such-model", str(photos / "cat.jpg"), "-o", str(tmp_path / "painted.jpg")]) == 2
    assert "no-such-model" in capsys.readouterr().err


@pytest.mark.parametrize(("chosen", "spins"), [({}, "6000"), ({"OMP_WAIT_POLICY": "PASSIVE"}, None),
                                               ({"GOMP_SPINCOUNT": "0"}, "0")])  # fmt: skip
def test_waiting_threads_spin_for_a_moment_unless_the_user_chose_otherwise(monkeypatch, chosen, spins):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    cli.main([])
    assert os.environ.get("GOMP_SPINCOUNT") == spins
    assert os.environ.get("OMP_WAIT_POLICY") == chosen.get("OMP_WAIT_POLICY")
