"""The command line of a training, as the model that comes of it tells it.

Typed again it trains the same, but where a secret was left out.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from brushnet.config.overrides import keys
from brushnet.config.secrets import without_secrets


def command_line(
    overrides: Sequence[str],
    *,
    config_dir: Path | None = None,
    allow_pipe: bool = False,
    fork: bool = False,
    sweep: bool = False,
) -> str:
    """Quoted for a shell. Passwords and queries of addresses, and `pipe:` commands, are left out: models are shared."""
    flags = ["--config-dir", str(config_dir)] if config_dir is not None else []
    flags += ["--allow-pipe"] if allow_pipe else []
    flags += ["--fork"] if fork else []
    flags += ["-m"] if sweep else []
    return shlex.join(["brushnet", "train", *flags, *map(without_secrets, overrides)])


def changes_something(overrides: Sequence[str]) -> bool:
    """Whether a resume does more than go on."""
    return any(key != "resume" and not key.startswith("hydra") for key in keys(overrides))
