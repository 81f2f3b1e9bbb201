"""Imports point down: a room may use only rooms that stand before it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import brushnet

PACKAGE = Path(brushnet.__file__).parent

# Bottom first. Rooms in one row do not know each other.
ORDER = [
    ["errors", "files"],
    ["devices", "gpu_moments", "reflection"],
    ["alike", "torch_file"],
    ["weights_file"],
    ["checkpoints", "images", "seeds", "samples", "stop_signals", "style_mix", "transport"],
    ["strokes", "stroke_map"],
    ["lossnet"],
    ["losses"],
    ["nets"],
    ["model_meta"],
    ["model_formats", "model_header"],
    ["model_file", "model_location"],
    ["models"],  # below training: a run ends in writing a style model
    ["data"],
    ["measure"],
    ["distill"],
    ["training"],
    ["inference"],
    ["export"],
    ["web"],
    ["report"],
    ["baselines"],  # above training, whose loss they minimise
    ["evaluation"],
    ["probing"],
    ["sweeps"],
    ["bench"],
    ["config"],
    ["build"],
    ["commands"],
    ["cli"],
    ["__main__"],
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides the room"
            names = [
                f"{node.module}.{alias.name}" if node.module == "brushnet" else str(node.module) for alias in node.names
            ]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("brushnet.")}
    return found & set(RANK) | {
        name for name in found if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
    }


def test_every_room_has_its_place():
    assert {room_of(path) for path in FILES} <= set(RANK), "give the new room a place in ORDER"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    room = room_of(path)
    upward = {other for other in imported_rooms(path) - {room} if RANK[other] >= RANK[room]}
    # The command table and its parts know each other: completion lists the commands.
    assert not upward - ({"cli"} if path.name == "completion.py" else set())


def test_only_build_and_the_command_line_know_the_configuration():
    knowing = {room_of(path) for path in FILES if "config" in imported_rooms(path)}
    assert knowing <= {"config", "build", "commands", "cli"}


def test_the_configuration_knows_no_room_but_errors_and_files():
    known = set().union(*(imported_rooms(path) for path in FILES if room_of(path) == "config"))
    assert known <= {"config", "errors", "files"}


@pytest.mark.parametrize(
    "module",
    [
        "brushnet",
        "brushnet.cli",
        "brushnet.config",
        "brushnet.errors",
        "brushnet.samples",
        "brushnet.model_header",
        "brushnet.stop_signals",
    ],
)
def test_light_modules_do_not_import_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'hydra' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)
