"""Completion scripts: accepted by their shells, and complete commands, groups and options."""

import shutil
import subprocess

import pytest

from brushnet import cli
from brushnet.commands.completion import SHELLS, script, words_by_command


def complete_in_bash(line, *, breaks=" \t\n\"'><=;|&(:"):
    """What bash would offer for the line, as its own completion calls the function."""
    program = script("bash") + (
        '\nCOMP_WORDBREAKS=$2 COMP_LINE=$1 COMP_POINT=${#1}; _brushnet; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program, "bash", line, breaks], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_accepts_its_script(shell, tmp_path):
    file = tmp_path / shell
    file.write_text(script(shell))
    assert "trainer.max_steps=" in file.read_text()
    if shutil.which(shell):
        done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=True)
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("brushnet tr", ["train"]),
        ("brushnet --ver", ["--version"]),
        ("brushnet train --allow", ["--allow-pipe"]),
        ("brushnet train resume=run --fo", ["--fork"]),
        ("brushnet train for", ["fork="]),
        ("brushnet train trainer.max_s", ["trainer.max_steps="]),
        ("brushnet train seed=1 stroke.mo", ["stroke.mode="]),
        ("brushnet train stroke.mode=f", ["fixed"]),
        ("brushnet train net=", ["johnson", "quick", "slim"]),
        ("brushnet train trainer.compile=t", ["true"]),
        ("brushnet shards p", ["pack"]),
        ("brushnet baseline f", ["features"]),
        ("brushnet probe --cla", ["--claims"]),
        ("brushnet baseline all --ref", ["--reference-px"]),
        ("brushnet stylize --strokes 1,2 --stric", ["--strict"]),
        (
            "brushnet stylize --stroke",
            ["--stroke", "--strokes", "--stroke-map", "--stroke-per-side", "--stroke-from", "--stroke-to"],
        ),
        ("brushnet evaluate star", ["starry-night"]),
        ("brushnet export star", ["starry-night"]),
        ("brushnet export starry-night --prec", ["--precision"]),
        ("brushnet evaluate starry-night --sca", ["--scales"]),
        ("brushnet completion z", ["zsh"]),
        ("brushnet stylize cat", []),  # left to bash: file names
        ("brushnet nonsense x", []),
    ],
)
def test_bash_offers(line, offered):
    assert complete_in_bash(line) == offered


def test_bash_that_does_not_cut_at_the_equals_sign_is_offered_the_whole_word():
    assert complete_in_bash("brushnet train net=jo", breaks=" \t\n") == ["net=johnson"]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_offers_commands_and_group_values(tmp_path):
    (tmp_path / "brushnet.fish").write_text(script("fish"))
    for line, offered in {"brushnet tr": "train", "brushnet train net=s": "net=slim"}.items():
        program = f"source {tmp_path}/brushnet.fish; complete -C '{line}'"
        done = subprocess.run(["fish", "-c", program], capture_output=True, text=True, check=True)
        assert offered in done.stdout.split()


def test_every_command_and_flag_is_offered():
    words = words_by_command()
    assert list(words) == list(cli.COMMANDS)
    for name in cli.COMMANDS:
        assert set(cli.command_parser(name).flags()) <= set(words[name])


def test_script_is_printed(capsys):
    assert cli.main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == script("bash")


@pytest.mark.parametrize(
    ("shell", "place"),
    [("bash", "data/bash-completion/completions/brushnet"), ("zsh", "data/zsh/site-functions/_brushnet"),
     ("fish", "config/fish/completions/brushnet.fish")],
)  # fmt: skip
def test_install_writes_where_the_shell_looks_and_says_so(shell, place, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert cli.main(["completion", shell, "--install"]) == 0
    assert (tmp_path / place).read_text() == script(shell)
    assert capsys.readouterr().err.startswith(f"{tmp_path / place} written; ")
