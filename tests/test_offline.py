"""After the installation the quickstart needs no network: its own commands run where every connection is refused.

A `sitecustomize` that Python imports at its start refuses and notes each attempt, in child processes too: what a
library tries and then does without is found as well. Connections that compiled code makes past Python are not.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from brushnet import images

QUICKSTART = Path(__file__).parents[1] / "scripts" / "quickstart"
SMALL = ["stroke.max=1.4", "style.bank_step_octaves=1", "trainer.max_steps=2",
         "trainer.batch_size=2", "trainer.crop_px=64", "data.workers=1", "data.val_photos=2"]  # fmt: skip
CACHES = ("HOME", "XDG_CACHE_HOME", "TORCH_HOME", "BRUSHNET_CACHE")  # where a download of yesterday would be found

# An audit hook sees a call however it was imported, and Python's own connect, connect_ex, create_connection alike.
GUARD = """
import errno, os, socket, sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

def refuse(event, arguments):
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and arguments[0].family == socket.AF_UNIX:
        return  # processes of one machine talking to each other
    with open(os.environ["ATTEMPTS"], "a") as attempts:
        attempts.write(f"{event} {arguments[1:]} in {sys.argv}\\n")
    raise OSError(errno.ENETUNREACH, f"{event} refused by the test")

sys.addaudithook(refuse)
with open(os.environ["GUARDED"], "a") as guarded:
    guarded.write(f"{os.getpid()}\\n")

here = os.path.dirname(os.path.abspath(__file__))
hidden = PathFinder.find_spec("sitecustomize", [each for each in sys.path if os.path.abspath(each) != here])
if hidden:  # the one that this environment brings
    hidden.loader.exec_module(module_from_spec(hidden))
"""


@dataclass
class Offline:
    """A machine without network and without anything downloaded before."""

    folder: Path

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, [str(self.folder / "guard"), os.environ.get("PYTHONPATH")]))
        env = {
            **os.environ,
            **dict.fromkeys(CACHES, str(self.folder / "empty")),
            "PYTHONPATH": path,
            "ATTEMPTS": str(self.folder / "attempts"),
            "GUARDED": str(self.folder / "guarded"),
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=env, capture_output=True, text=True, timeout=300
        )

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def offline(tmp_path: Path) -> Offline:
    (tmp_path / "guard").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    return Offline(tmp_path)


def quickstart_commands(*, photos: int) -> list[list[str]]:
    """Arguments of the script's first training and of its stylizing, as bash gives them, on the first photos."""
    lines = [line.strip() for line in QUICKSTART.read_text().splitlines()]
    variables = [line for line in lines if re.match(r"(run|photos)=", line)]
    beginnings = ("brushnet train experiment=", "brushnet stylize ")  # main() stands before train() in the script
    commands = [line for beginning in beginnings for line in lines if line.startswith(beginning)]
    program = [
        "brushnet() { printf '%q ' \"$@\"; echo; }",
        *variables,
        f'photos=("${{photos[@]:0:{photos}}}")',
        *commands,
    ]
    done = subprocess.run(["bash", "-euc", "\n".join(program)], capture_output=True, text=True, check=True)
    return [shlex.split(line) for line in done.stdout.splitlines()]


def test_the_commands_are_those_of_the_script():
    train, stylize = quickstart_commands(photos=2)
    assert train[0] == "train"
    assert train[1].startswith("experiment=")
    assert stylize[0] == "stylize"
    assert len([each for each in stylize if each.startswith("sample:")]) == 2


def test_the_quickstart_needs_no_network_once_installed(offline):
    train, stylize = quickstart_commands(photos=2)
    for arguments in ([*train, *SMALL], stylize):
        done = offline.python("-m", "brushnet", *arguments)
        assert done.returncode == 0, done.stderr
    assert len(set(offline.lines("guarded"))) >= 2
    assert offline.lines("attempts") == []
    run = offline.folder / stylize[1]
    assert (run / "model.safetensors").is_file()
    pictures = sorted((offline.folder / stylize[stylize.index("-o") + 1]).glob("*.jpg"))
    strokes = stylize[stylize.index("--strokes") + 1].split(",")
    assert len(pictures) == 2 * len(strokes) + 1  # the contact sheet
    assert all(images.read(path).std() > 0.01 for path in pictures)


ATTEMPTS = {
    "connect": "import socket; socket.socket().connect(('192.0.2.1', 80))",
    "connect_ex": "import socket; socket.socket().connect_ex(('192.0.2.1', 80))",
    "create_connection": "import socket; socket.create_connection(('192.0.2.1', 80))",
    "getaddrinfo": "import socket; socket.getaddrinfo('example.invalid', 80)",
    "datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "urllib": "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
    "localhost": "import socket; socket.create_connection(('127.0.0.1', 9))",
}


@pytest.mark.parametrize("code", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_process_that_connects_is_refused_and_noted(offline, code):
    done = offline.python("-c", code)
    assert done.returncode == 1
    assert "refused by the test" in done.stderr
    assert len(offline.lines("attempts")) == 1


def test_an_attempt_that_is_swallowed_is_noted(offline):
    swallowing = f"try:\n    {ATTEMPTS['connect']}\nexcept OSError:\n    pass"
    assert offline.python("-c", swallowing).returncode == 0
    assert offline.lines("attempts")[0].startswith("socket.connect (('192.0.2.1', 80),) in ")


WORKERS = """
import socket, sys
from multiprocessing import get_context  # as torch's data loaders start theirs

def photo(index):
    socket.create_connection(("192.0.2.1", 80))

if __name__ == "__main__":
    with get_context(sys.argv[1]).Pool(1) as workers:
        workers.map(photo, [0])
"""


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_data_workers_are_refused_too(offline, start):
    (offline.folder / "program.py").write_text(WORKERS)
    done = offline.python("program.py", start)
    assert done.returncode == 1
    assert "refused by the test" in done.stderr
    assert len(offline.lines("attempts")) == 1


def test_the_environments_own_sitecustomize_still_runs(offline):
    (offline.folder / "own").mkdir()
    (offline.folder / "own" / "sitecustomize.py").write_text("print('own')")
    path = os.pathsep.join([str(offline.folder / "guard"), str(offline.folder / "own")])
    assert offline.python("-c", "pass", PYTHONPATH=path).stdout == "own\n"
