"""`brushnet completion SHELL`: a script that completes sub-commands, flags, config groups and option names.

The words are written into the script, so that a press of the tab key starts no Python.
"""

import argparse
import os
import sys
from importlib.resources import files
from pathlib import Path

from brushnet import samples
from brushnet.commands.baseline import METHODS
from brushnet.commands.bench import PARTS
from brushnet.commands.parser import Parser
from brushnet.config.folder import conf_dir, groups
from brushnet.config.schema import Config, options, rule_of

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = 'for this session: eval "$(brushnet completion bash)"; for all: brushnet completion bash --install'
    parser.add_argument("shell", choices=SHELLS, help="shell to write the script for")
    parser.add_argument("--install", action="store_true", help="write it where the shell looks, and say where")


def run(args: argparse.Namespace) -> int:
    text = script(args.shell)
    if not args.install:
        print(text, end="")
        return 0
    path, hint = place(args.shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"{path} written; {hint}", file=sys.stderr)
    return 0


def place(shell: str) -> tuple[Path, str]:
    """Where a shell finds a user's completions, and what is still to be done."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    match shell:
        case "bash":
            path = data / "bash-completion" / "completions" / "brushnet"
            return path, f"a new shell finds it (without the bash-completion package: add `source {path}` to ~/.bashrc)"
        case "zsh":
            path = data / "zsh" / "site-functions" / "_brushnet"
            return path, f"put `fpath+=({path.parent})` before compinit in ~/.zshrc"
        case _:
            return config / "fish" / "completions" / "brushnet.fish", "a new shell finds it"


def script(shell: str) -> str:
    template = (files("brushnet.commands") / "completion_scripts" / shell).read_text(encoding="utf-8")
    match shell:
        case "bash":
            branches = [f"    {name}) words={_quoted(words)} ;;" for name, words in words_by_command().items()]
            return _filled(template, _quoted(_commands()), branches)
        case "zsh":
            branches = [f"    {name}) known=({_lines(words)}) ;;" for name, words in words_by_command().items()]
            return _filled(template, " ".join(_commands()), branches)
        case _:
            return _filled(template, "", _fish_lines())


def words_by_command() -> dict[str, list[str]]:
    """What may follow each sub-command; words that end in "=" await a value."""
    from brushnet.cli import COMMANDS, command_parser

    found = {name: command_parser(name).flags() for name in COMMANDS}
    found["train"] += override_words()
    found["bench"] += [*PARTS, *override_words()]
    found["shards"].append("pack")
    found["baseline"] += METHODS
    found["completion"] += SHELLS
    return found


def override_words() -> list[str]:
    """Every group with its values, every option with its values where there are few."""
    words = []
    for group, values in groups(conf_dir()).items():
        words += [f"{group}=", *(f"{group}={value}" for value in values)]
    for key, each, value in options(Config()):
        choices = ("true", "false") if isinstance(value, bool) else rule_of(each).choices
        words += [f"{key}=", *(f"{key}={choice}" for choice in choices)]
    return [*words, "hydra.run.dir=", "hydra.sweep.dir="]


def _commands() -> list[str]:
    from brushnet.cli import COMMANDS, main_parser

    return [*COMMANDS, *main_parser().flags()]


def _filled(template: str, commands: str, branches: list[str]) -> str:
    filled = template.replace("@COMMANDS@", commands).replace("@BRANCHES@", "\n".join(branches))
    return filled.replace("@MODELS@", " ".join(samples.models()))


def _quoted(words: list[str]) -> str:
    return '"' + " ".join(words) + '"'


def _lines(words: list[str]) -> str:
    return " ".join(f"'{word}'" for word in words)


def _fish_lines() -> list[str]:
    from brushnet.cli import COMMANDS

    lines = [
        f"complete -c brushnet -n __fish_use_subcommand -f -a {name} -d '{text}'" for name, text in COMMANDS.items()
    ]
    for name, words in words_by_command().items():
        lines.append(f"complete -c brushnet -n '__fish_seen_subcommand_from {name}' -a '{' '.join(words)}'")
    return lines
