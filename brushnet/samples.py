"""Where the shipped samples lie: photos, paintings and small models, in the wheel as in the repository.

`sample:NAME` names one wherever a path is allowed: a folder (`sample:photos`), or a file without its suffix and, where
no other has the same name, without its folder (`sample:paintings/waves`, `sample:waves`).
"""

import difflib
from pathlib import Path

from brushnet.errors import BrushnetError, UserError

PREFIX = "sample:"
SUFFIXES = (".jpg", ".png", ".webp", ".tar", ".safetensors")  # what lies beside them (licences, indices) is no sample


def samples_dir() -> Path:
    """`brushnet/samples` of an installed wheel, `data` of the repository in an editable install."""
    package = Path(__file__).parent
    repository = package.parent
    if (package / "samples").is_dir():
        return package / "samples"
    # The repository is known by its pyproject.toml: site-packages may hold anybody's `data`.
    if (repository / "pyproject.toml").is_file() and (repository / "data").is_dir():
        return repository / "data"
    raise BrushnetError(f"the samples are missing from this installation (no {package / 'samples'}): install it anew")


def resolve(path_or_sample: str) -> Path:
    """The file or folder that `sample:NAME` stands for; any other text is a path and comes back as one."""
    if not path_or_sample.startswith(PREFIX):
        return Path(path_or_sample)
    name = path_or_sample.removeprefix(PREFIX)
    known = names()
    if name in known:
        return known[name]
    namesakes = [path for path in known.values() if name in (path.stem, path.name)]
    if len(namesakes) == 1:
        return namesakes[0]
    raise UserError(f"{path_or_sample}: no such sample; {_hint(name, sorted(known))}")


def names() -> dict[str, Path]:
    """Every sample by the name that follows `sample:`."""
    root = samples_dir()
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_dir():
            found[relative.as_posix()] = path
        elif path.suffix in SUFFIXES:
            found[relative.with_suffix("").as_posix()] = path
    return found


def models() -> dict[str, Path]:
    """The embedded models by name."""
    return {path.stem: path for path in sorted((samples_dir() / "models").glob("*.safetensors"))}


def _hint(name: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {PREFIX}{near[0]}?"
    more = ", ..." if len(known) > 20 else ""
    return f"there are: {', '.join(known[:20]) or 'none'}{more}"
