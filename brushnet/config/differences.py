"""Which options may change while a run goes on, and how two configurations differ in the others, in words."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from brushnet.config.saved import with_absolute_paths
from brushnet.config.schema import Config, LayerWeight, options

# Every other option would make another model. `data.val_photos` would not, but best.ckpt is chosen by them.
HARMLESS = (
    # How long, how often, and when to give up.
    "trainer.max_steps", "trainer.max_time", "trainer.*_every_*", "trainer.keep_checkpoints", "trainer.max_bad_steps",
    "data.max_bad_fraction", "trainer.evaluate", "logger.*",
    # On what and how fast.
    "trainer.devices", "trainer.accelerator", "trainer.precision", "trainer.compile", "trainer.channels_last",
    "data.workers", "data.decoded_mb",
)  # fmt: skip
# Rounded otherwise. So do other `trainer.devices`, of which the data module tells more.
ARITHMETIC = ("trainer.accelerator", "trainer.precision", "trainer.compile", "trainer.channels_last")
_OTHER_BITS = " (the same photos and steps, but not the same bits)"
# Where things lie. Their content must stay, as `training.identity` finds once it is read.
MOVABLE = ("style.files", "lossnet.weights", "data.path", "data.val_path", "data.source", "data.cache_dir")
ALLOWED = f"allowed to change: {', '.join(HARMLESS)}; if the same files were moved: {', '.join(MOVABLE)}"
_HARMLESS = re.compile("|".join(re.escape(name).replace(r"\*", r"\w+") for name in (*HARMLESS, *MOVABLE)))
_CHOSEN = {"auto", "compact"}  # values of lossnet.weights that no file can be
_SHOWN_ENTRIES, _SHOWN_CHARS = 3, 60


def differences(saved: Config, asked: Config, *, keys: Collection[str] | None = None) -> list[str]:
    """Options in which `asked` is of another model than `saved`: ["net.width: 32 -> 16"]; of `keys` only, if given."""
    return [_words(key, old, new) for key, old, new in _changed(saved, asked, keys) if not _harmless(key, old, new)]


def harmless_changes(saved: Config, asked: Config) -> list[str]:
    """The options that differ and may: ["trainer.max_steps: 2000 -> 4000"]."""
    changed = [each for each in _changed(saved, asked, None) if _harmless(*each)]
    return [_words(*each) + (_OTHER_BITS if each[0] in ARITHMETIC else "") for each in changed]


def _changed(saved: Config, asked: Config, keys: Collection[str] | None) -> list[tuple[str, Any, Any]]:
    values = {key: value for key, _, value in options(with_absolute_paths(asked))}
    return [
        (key, old, values[key])
        for key, _, old in options(with_absolute_paths(saved))
        if key != "resume" and (keys is None or key in keys) and old != values[key]
    ]


def _harmless(key: str, old: Any, new: Any) -> bool:
    match key:
        case "style.files":  # a painting is called like its file
            return _names(old) == _names(new)
        case "lossnet.weights":
            return not {old, new} & _CHOSEN
        case "data.val_path":  # without one, 2 % of data.path are held out: other photos are trained on
            return old is not None and new is not None
    return _HARMLESS.fullmatch(key) is not None


def _names(files: Sequence[str]) -> list[str]:
    return [Path(file.removeprefix("sample:")).stem for file in files]


def _words(key: str, old: Any, new: Any) -> str:
    if key == "style.files" and _names(old) != _names(new):
        old, new = _names(old), _names(new)
    if isinstance(old, list) and isinstance(new, list):
        old, new = _without_common_ends([_shown(each) for each in old], [_shown(each) for each in new])
    return f"{key}: {_shown(old)} -> {_shown(new)}"


def _without_common_ends(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """What two long lists share at their start and end as "..."."""
    if max(len(old), len(new)) <= _SHOWN_ENTRIES:
        return old, new
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    head, tail = ["..."] * (start > 0), ["..."] * (end > 0)
    return [*head, *old[start : len(old) - end], *tail], [*head, *new[start : len(new) - end], *tail]


def _shared(one: list[str], other: list[str]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.10g}"
        case LayerWeight():
            return f"{value.name} ({value.weight:g})"
        case list() if len(value) > _SHOWN_ENTRIES + 2:
            return f"[{', '.join(value[:_SHOWN_ENTRIES])}, ... ({len(value)} in all)]"
        case list():
            return f"[{', '.join(value)}]"
    text = "".join(letter if letter.isprintable() else "_" for letter in str(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS // 2]}...{text[-_SHOWN_CHARS // 2 :]}"
