"""Where the conf/ tree lies: $BRUSHNET_CONF, inside the installed package, or in the repository."""

import os
from pathlib import Path

from brushnet.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parents[1]


def conf_dir() -> Path:
    """Folder with train.yaml and its groups, absolute."""
    chosen = os.environ.get("BRUSHNET_CONF")
    if chosen:
        candidates = [Path(chosen)]
    elif (_PACKAGE.parent / "pyproject.toml").is_file():
        candidates = [_PACKAGE / "conf", _PACKAGE.parent / "conf"]
    else:
        candidates = [_PACKAGE / "conf"]  # beside an installed package, site-packages may hold anybody's `conf`
    for folder in candidates:
        if (folder / "train.yaml").is_file():
            return folder.resolve()
    if chosen:
        raise ConfigError(f"BRUSHNET_CONF must name a folder with a train.yaml, got {chosen}")
    raise ConfigError(f"the configuration is missing from this installation (no {candidates[-1]}): install it anew")


def groups(*folders: Path) -> dict[str, list[str]]:
    """Config groups and their values in these folders, e.g. {"net": ["johnson", "slim"]}."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.glob("*/*.yaml"):
            found.setdefault(file.parent.name, set()).add(file.stem)
    return {group: sorted(values) for group, values in sorted(found.items())}
