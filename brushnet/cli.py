"""The `brushnet` command: finds the sub-command, runs it, and ends with the exit code of what happened."""

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from brushnet import __version__
from brushnet.commands.failure import report
from brushnet.commands.parser import Parser, nearest
from brushnet.errors import UserError
from brushnet.stop_signals import ending

COMMANDS = {
    "train": "train a style model; a sweep with -m",
    "stylize": "paint photos with a trained model",
    "export": "write a model as a file for other programs, checked against the network",
    "baseline": "paint with the classic methods, to compare with",
    "evaluate": "measure whether a model's strokes follow the request",
    "measure": "measure the stroke size of any picture",
    "report": "compare the runs of a sweep, or show one, on a page",
    "probe": "find which layer sees which stroke scale",
    "models": "list the models that ship",
    "demo": "paint photos in the browser, on a page of this machine or of any static host",
    "shards": "pack photos into WebDataset shards",
    "bench": "measure how fast this machine trains, paints and loads",
    "completion": "print the completion script of bash, zsh or fish",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of `brushnet ARGV`. sys.argv stays whole: Lightning starts further processes from it."""
    # Read once, by the OpenMP of torch's Linux wheels when torch is imported. A step is thousands of short regions: one
    # thread that sleeps between them trains 1.6 times as slow on two idle cores as one that first spins for so many
    # turns. Its default, 300,000, fights for the cores with every other program. Two trainings at once on these cores:
    # 3.2 images/s each, 6.8 without spinning, 1.7 with 20,000.
    if not os.environ.get("OMP_WAIT_POLICY"):
        os.environ.setdefault("GOMP_SPINCOUNT", "6000")
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        return _run([each for each in arguments if each != "--debug"], debug=debug)
    except BrokenPipeError:  # `brushnet ... | head`: the reader has seen enough
        sys.stdout = None  # or the interpreter complains when it flushes at exit
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return report(error, debug=debug)


def _run(arguments: list[str], *, debug: bool) -> int:
    at = next((index for index, each in enumerate(arguments) if not each.startswith("-")), len(arguments))
    main_parser().parse_args(arguments[:at])
    if at == len(arguments):
        print(main_parser().format_help(), end="")
        return 0
    name = arguments[at]
    if name not in COMMANDS:
        raise UserError(f"unknown command {name}{nearest(name, COMMANDS)}; there are: {', '.join(COMMANDS)}")
    with ending() if name == "train" else nullcontext():  # here, before its libraries are imported
        args = command_parser(name).parse_intermixed_args(arguments[at + 1 :])
        args.debug = debug
        return args.run(args)


def main_parser() -> Parser:
    parser = Parser(prog="brushnet", usage="brushnet COMMAND ...", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"brushnet {__version__}")
    parser.add_debug()
    return parser


def command_parser(name: str) -> Parser:
    """Parser of one sub-command; its module says the arguments and sets `run`."""
    module = importlib.import_module(f"brushnet.commands.{name}")
    parser = Parser(prog=f"brushnet {name}", description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".")
    module.add_arguments(parser)
    parser.add_debug()
    return parser


_DESCRIPTION = "Style transfer whose brushstroke scale is trained, controlled and measured.\n\ncommands:\n" + "\n".join(
    f"  {name:<12}{text}" for name, text in COMMANDS.items()
)
_EPILOG = """brushnet COMMAND --help tells more.
exit codes: 0 done; 1 failed while working; 2 the request was wrong; 3 stopped on request, resumable"""
