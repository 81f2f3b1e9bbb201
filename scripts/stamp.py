"""Is .venv as the last complete installation left it? scripts/environment.sh asks, with .venv's own Python.

    stamp.py usable ROOT          exit code 0: this Python can go on serving the repository at ROOT
    stamp.py current ROOT EXTRA   exit code 0: nothing to install; EXTRA may be empty
    stamp.py begin ROOT           an installation begins: what only looks installed is taken off pip's books
    stamp.py finish ROOT EXTRA    it is complete

Needs nothing but the standard library: it runs before anything is installed.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
STAMP = Path(sys.prefix) / "brushnet.json"


def main(question: str, root: Path, extra: str = "") -> bool:
    if question == "usable":
        return usable(root)
    if question == "current":
        return current(root, extra)
    if question == "begin":
        return begin()
    return finish(root, extra)


def usable(root: Path) -> bool:
    """Not where the Python behind .venv was exchanged for another, or the folder was moved: scripts hold its path."""
    ours = (root / ".venv").samefile(sys.prefix) and SITE.is_dir()
    can_install = find_spec("pip") is not None or find_spec("ensurepip") is not None
    return sys.version_info >= (3, 11) and ours and can_install and _read().get("root", str(root)) == str(root)


def current(root: Path, extra: str) -> bool:
    stamp = _read()
    same = all(stamp.get(key) == value for key, value in inputs(root).items())
    return same and extra in ("", stamp["extra"]) and whole_packages() >= set(stamp["packages"])


def begin() -> bool:
    STAMP.unlink(missing_ok=True)
    for folder in SITE.glob("*.dist-info"):
        if not is_whole(folder):  # pip looks at the folder's name alone and would leave the package as it is
            shutil.rmtree(folder)
    return True


def finish(root: Path, extra: str) -> bool:
    STAMP.write_text(json.dumps({**inputs(root), "extra": extra, "packages": sorted(whole_packages())}, indent=1))
    return True


def inputs(root: Path) -> dict[str, str]:
    """What decides what gets installed, and where."""
    wanted = (root / name for name in ("pyproject.toml", "scripts/constraints.txt"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in wanted)).hexdigest()
    return {"root": str(root), "python": platform.python_version(), "wanted": digest}


def whole_packages() -> set[str]:
    """Names and versions. What the user has added does no harm."""
    return {folder.stem for folder in SITE.glob("*.dist-info") if is_whole(folder)}


def is_whole(dist_info: Path) -> bool:
    """RECORD, which pip writes last, is there, and so is every file that it names."""
    try:
        lines = (dist_info / "RECORD").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    names = (line.rsplit(",", 2)[0].strip('"') for line in lines)
    return all(os.path.lexists(SITE / name) for name in names if not name.endswith(".pyc"))


def _read() -> dict:
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):  # none yet, or cut off by a full disk
        return {}


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]) else 1)
